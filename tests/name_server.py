"""A name server on loopback, in a thread of its own: it answers as it is told, or not at all."""

import socket
import threading
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Self

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer:
    """Use it as a context manager; names without an entry do not exist, and those with None are never answered."""

    def __init__(self, addresses: Mapping[str, Sequence[str] | None]) -> None:
        self.addresses = dict(addresses)
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def place(self) -> tuple[str, int]:
        """Address and port, as EGRESS_NAME_SERVERS takes them."""
        address, port = self._socket.getsockname()
        return address, port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.place)
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            wire, sender = self._socket.recvfrom(512)
            if not wire:
                return
            answer = self._answer(dns.message.from_wire(wire))
            if answer is not None:
                self._socket.sendto(answer.to_wire(), sender)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        (question,) = query.question
        name, kind = question.name.to_text().rstrip("."), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        known = self.addresses.get(name, ())
        if known is None:
            return None
        response = dns.message.make_response(query)
        if name not in self.addresses:
            response.set_rcode(dns.rcode.NXDOMAIN)
        chosen = [text for text in known if (ip_address(text).version == 4) == (kind == "A")]
        if chosen:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *chosen))
        return response
