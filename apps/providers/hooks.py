"""What a provider's webhooks are to us: how an adapter declares that it can judge and read them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec

# Opens the connection's credentials: for providers whose signing secret is one of them.
OpenCredentials = Callable[[], Mapping[str, str]]
# What an event is called and told apart by: printable, and no longer than we store.
EventName = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,100}$")]
EventId = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,200}$")]
Body = TypeVar("Body")


class HookRejected(Exception):
    """A request does not prove that it comes from the provider, or is not an event; `code` is ours and stable."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class HookEvent:
    """What a webhook says. `id` is the provider's; `enrollment_id` is "" where the type has none.

    An event is a hint. `wants` is what it makes us do: ask the provider how things stand, or nothing.
    """

    id: str
    type: str
    enrollment_id: str = ""
    wants: Literal["sync", "nothing"] = "nothing"


def read_body(body: bytes, as_type: type[Body]) -> Body:
    """Return a verified body as the msgspec struct that its provider documents.

    Raises:
        HookRejected: it is none.
    """
    try:
        return msgspec.json.decode(body, type=as_type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HookRejected("unreadable_event", f"the body is not an event: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSpec:
    """How an adapter judges its provider's webhooks.

    `header` carries the signature. `judge(signature, body, credentials, now)` and `parse(body)` raise HookRejected;
    nothing of a body is parsed before it is judged. `judge` may do HTTP.
    """

    header: str
    judge: Callable[[str, bytes, OpenCredentials, datetime], None]
    parse: Callable[[bytes], HookEvent]
