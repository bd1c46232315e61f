"""Structured logs: one JSON object a line, with request, tenant and trace ids, and no secrets."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from pythonjsonlogger.json import JsonFormatter as BaseJsonFormatter

from apps.core import context
from apps.core.redaction import redact, redact_text

PROBES = ("/livez", "/readyz", "/startupz", "/metrics")

# What a LogRecord has by itself; everything else came through `extra` and may need redaction.
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class ContextFilter(logging.Filter):
    """Adds the ids of the running request or job."""

    def filter(self, record: logging.LogRecord) -> bool:
        running = context.current()
        record.request_id = running.request_id
        record.trace_id = running.traceparent[3:35]
        actor = running.actor
        record.tenant_id = str(actor.tenant_id or "") if actor else ""
        record.actor = actor.label if actor else ""
        # Of somebody who acts through another one, both are named.
        is_impersonated = actor is not None and actor.impersonator_id is not None
        record.user_id = str(actor.user_id) if actor and is_impersonated else ""
        record.impersonator_id = str(actor.impersonator_id) if actor and is_impersonated else ""
        return True


class RedactionFilter(logging.Filter):
    """Masks secrets in the message, its arguments and everything that `extra` brought."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact_text(record.getMessage())
        record.args = None
        for name in set(vars(record)) - _STANDARD:
            # Wrapped by name, so that `extra={"token": ...}` is masked whatever its value looks like.
            setattr(record, name, redact({name: _plain(getattr(record, name))})[name])
        return True


def _plain(value: Any) -> Any:
    """Return what can be redacted for what the formatter would turn into a text later."""
    if isinstance(value, HttpRequest):
        return None  # Django's; its text is the address with the whole query, and the event names the path
    is_plain = value is None or isinstance(value, str | bool | int | float | Mapping | Sequence)
    return value if is_plain and not isinstance(value, bytes | bytearray) else str(value)


class ProbeFilter(logging.Filter):
    """Drops Django's line for a failing probe: it is asked several times a second and says why in its answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", "")
        return path not in PROBES


class JsonFormatter(BaseJsonFormatter):
    """Time, level, logger and event first; empty ids left out; tracebacks redacted."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "at", "levelname": "level", "name": "logger", "message": "event"},
            datefmt="%Y-%m-%dT%H:%M:%SZ",
        )
        self.converter = time.gmtime

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in log_data.items() if value not in ("", None)}

    def formatException(self, ei: Any) -> str:  # noqa: N802  (logging's name)
        return redact_text(str(super().formatException(ei)))
