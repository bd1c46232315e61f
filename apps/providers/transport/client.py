"""The HTTP client that every adapter uses."""

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NoReturn

import httpx
import msgspec
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.core.guard import assert_no_transaction
from apps.core.redaction import redact_text
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.protocols import Limit
from apps.providers.transport import metrics
from apps.providers.transport.breaker import connection_breaker, line_name, provider_breaker
from apps.providers.transport.call import Call, CallPolicy
from apps.providers.transport.classification import Blame, Verdict, default_verdict, retry_after_header
from apps.providers.transport.failures import NOT_SENT, BadAnswer, DeadlinePassed, wire_verdict
from apps.providers.transport.limiter import Limiter
from apps.providers.transport.sockets import Address, Sockets, kept_sockets

logger = logging.getLogger(__name__)

Classify = Callable[[int, Any], Verdict]
RetryAfter = Callable[[Mapping[str, str]], float | None]
_LONGEST_MESSAGE = 300
# What one provider's header can make everyone else wait.
_LONGEST_PAUSE_SECONDS = 300.0

_decoder = msgspec.json.Decoder(float_hook=Decimal)


class ProviderClient:
    """Speaks JSON with one provider on behalf of one connection; close it after use. Not shared between threads.

    A provider with several hosts has limits and breakers of its own for each that is named by `host`: one may be away,
    or throttle, without the others. With `keeps_connection` the next client of the same thread goes on with the
    connection that this one leaves.
    """

    def __init__(
        self,
        *,
        provider: str,
        base_url: str,
        connection_key: str,
        limits: Sequence[Limit] = (),
        classify: Classify = default_verdict,
        auth: httpx.Auth | tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        certificate: tuple[str, str] | None = None,
        policy: CallPolicy | None = None,
        host: str = "",
        retry_after: RetryAfter = retry_after_header,
        keeps_connection: bool = False,
    ) -> None:
        self._provider, self._classify, self._policy = provider, classify, policy or CallPolicy()
        self._line, self._retry_after = line_name(provider, host), retry_after
        self._limiter = Limiter(self._line, connection_key, limits)
        self._breakers = {
            Blame.PROVIDER: provider_breaker(self._line, self._policy.breaker),
            Blame.CONNECTION: connection_breaker(self._line, connection_key, self._policy.breaker),
        }
        self._auth, self._headers = auth, dict(headers or {})
        # A proxy from the environment leads to the real hosts, never to the sandbox.
        self._address = Address(base_url, *(certificate or ("", "")), trusts_environment=not settings.SANDBOX_URL)
        self._own = None if keeps_connection else Sockets(self._address)

    def close(self) -> None:
        """Close the connection, unless it is one that is kept."""
        if self._own:
            self._own.close()

    def get(
        self,
        operation: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        policy: CallPolicy | None = None,
    ) -> Any:
        """Return the answer's JSON, decimals exact. `operation` names the call in metrics and errors.

        Raises:
            ProviderError: classified; retries are over.
            CallInsideTransaction: a programming error.
        """
        return self.call(operation, "GET", path, params=params, policy=policy)

    def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        policy: CallPolicy | None = None,
    ) -> Any:
        """Send any request. One that is not GET or HEAD is sent again only when it provably was not sent.

        `policy` bounds this call in the place of the client's own; its breaker policy is not looked at.

        Raises:
            ProviderError, CallInsideTransaction: see `get`.
        """
        assert_no_transaction()
        bounds = policy or self._policy
        call = Call(operation, method, path, params, body, bounds, time.monotonic() + bounds.deadline_seconds)
        for attempt in range(1, bounds.tries + 1):
            try:
                self._enter(call)
                return self._attempt(call)
            except ProviderError as error:
                wait = self._wait_before_retry(error, call, attempt)
                if wait is None:
                    raise
                time.sleep(wait)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _enter(self, call: Call) -> None:
        """Wait for a slot in every limit, then pass the breakers."""
        while (wait := self._limiter.admit()) > 0:
            if wait > min(call.remaining, call.policy.longest_wait_seconds):
                message = _("This provider's request limit is used up for now; the sync goes on later.")
                self._refuse(call, ErrorCategory.THROTTLED, "limit_reached", message, retry_after=wait)
            metrics.LIMITER_WAIT_SECONDS.labels(self._provider).inc(wait)
            time.sleep(wait)
        for breaker in self._breakers.values():
            wait = breaker.admit()
            if wait > 0:
                message = _("The provider keeps failing and is left alone for a while; the sync is tried again.")
                self._refuse(call, ErrorCategory.RETRYABLE, "circuit_open", message, retry_after=wait)

    def _refuse(self, call: Call, category: ErrorCategory, code: str, message: Any, *, retry_after: float) -> NoReturn:
        metrics.CALLS.labels(self._provider, call.operation, code).inc()
        raise ProviderError(
            provider=self._provider,
            operation=call.operation,
            category=category,
            code=code,
            message=message,
            retry_after=retry_after,
        )

    def _attempt(self, call: Call) -> Any:
        started = time.perf_counter()
        try:
            status, headers, content = self._exchange(call)
            if 200 <= status < 300:
                result = _parse(content)
                self._settle(call, None, started, status)
                return result
        except (httpx.TransportError, httpx.DecodingError, BadAnswer, DeadlinePassed) as error:
            cause = DeadlinePassed() if call.remaining <= 0 else error
            # What has not left may be tried again, even an order.
            has_left = self._sockets.watch.has_sent and not isinstance(error, NOT_SENT)
            verdict = wire_verdict(cause, is_safe=call.is_safe or not has_left)
            self._settle(call, verdict, started, None)
            raise self._error(call, verdict) from error
        verdict = self._classify(status, _parse_leniently(content))
        retry_after = self._retry_after(headers)
        if verdict.category is ErrorCategory.THROTTLED and retry_after:
            self._limiter.pause(min(retry_after, _LONGEST_PAUSE_SECONDS))
        if not call.is_safe and (verdict.category is ErrorCategory.RETRYABLE or not verdict.is_proof):
            verdict = _as_unknown(verdict)
        self._settle(call, verdict, started, status)
        raise self._error(call, verdict, status=status, retry_after=retry_after)

    @property
    def _sockets(self) -> Sockets:
        return self._own or kept_sockets(self._address)

    def _exchange(self, call: Call) -> tuple[int, httpx.Headers, bytes]:
        sockets = self._sockets
        sockets.watch.has_sent = False
        if call.remaining <= 0:
            raise DeadlinePassed
        timeout = httpx.Timeout(
            min(call.policy.read_seconds, call.remaining),
            connect=min(call.policy.connect_seconds, call.remaining),
        )
        options: dict[str, Any] = {
            "params": call.params,
            "timeout": timeout,
            "headers": self._headers,
            "auth": self._auth,
            "extensions": {"trace": sockets.watch.trace},
        }
        if call.body is not None:
            options["json"] = call.body
        with (
            sockets.watch.within(call.remaining),
            sockets.http.stream(call.method, call.path, **options) as response,
        ):
            return response.status_code, response.headers, self._read(response, call)

    def _read(self, response: httpx.Response, call: Call) -> bytes:
        """Read the body in pieces, so that a huge one ends at its bound."""
        content = bytearray()
        for piece in response.iter_bytes():
            content += piece
            if len(content) > call.policy.max_bytes:
                raise BadAnswer("answer_too_large", _("The provider's answer is larger than we take."))
            if call.remaining <= 0:
                raise DeadlinePassed
        return bytes(content)

    def _settle(self, call: Call, verdict: Verdict | None, started: float, status: int | None) -> None:
        """Tell metrics, breakers and, on failure, the log how an attempt ended."""
        seconds = time.perf_counter() - started
        metrics.SECONDS.labels(self._provider, call.operation).observe(seconds)
        metrics.CALLS.labels(self._provider, call.operation, verdict.category if verdict else "ok").inc()
        blame = verdict.blame if verdict else Blame.NOBODY
        has_opened = blame in self._breakers and self._breakers[blame].fail()
        if has_opened and blame is Blame.PROVIDER:
            metrics.BREAKER_OPEN.labels(self._line).set(1)
        if blame is not Blame.PROVIDER:
            self._breakers[Blame.PROVIDER].succeed()  # it answered, whatever it said
            metrics.BREAKER_OPEN.labels(self._line).set(0)
        if blame is Blame.NOBODY:
            self._breakers[Blame.CONNECTION].succeed()
        if verdict:
            logger.warning(
                "provider.call_failed",
                extra={
                    "provider": self._provider,
                    "operation": call.operation,
                    "category": str(verdict.category),
                    "code": verdict.code,
                    "status": status,
                    "duration_ms": round(seconds * 1000, 1),
                },
            )

    def _wait_before_retry(self, error: ProviderError, call: Call, attempt: int) -> float | None:
        """Return how long to wait before the next try, or None when there is none."""
        if attempt >= call.policy.tries or error.code in ("circuit_open", "limit_reached"):
            return None
        is_throttled = error.category is ErrorCategory.THROTTLED
        if error.category is not ErrorCategory.RETRYABLE and not (is_throttled and call.is_safe):
            return None
        # Full jitter: many workers that fail together do not come back together.
        backoff = random.uniform(0, call.policy.backoff_seconds * 2**attempt)  # noqa: S311  (spread, not secrecy)
        wait = backoff if error.retry_after is None else error.retry_after + backoff / 4
        return wait if wait < min(call.remaining, call.policy.longest_wait_seconds) else None

    def _error(
        self, call: Call, verdict: Verdict, *, status: int | None = None, retry_after: float | None = None
    ) -> ProviderError:
        return ProviderError(
            provider=self._provider,
            operation=call.operation,
            category=verdict.category,
            code=verdict.code,
            message=redact_text(str(verdict.message))[:_LONGEST_MESSAGE],
            status=status,
            retry_after=retry_after,
        )


def _parse(content: bytes) -> Any:
    if not content:
        return None
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, RecursionError, ArithmeticError) as error:
        message = _("The provider's answer could not be read; the sync is tried again.")
        raise BadAnswer("malformed_answer", message) from error


def _parse_leniently(content: bytes) -> Any:
    try:
        return _parse(content)
    except BadAnswer:
        return None


def _as_unknown(verdict: Verdict) -> Verdict:
    message = _("The provider failed while it held the request; whether it carried it out is not known.")
    return Verdict(category=ErrorCategory.UNKNOWN_OUTCOME, code=verdict.code, message=message, blame=verdict.blame)
