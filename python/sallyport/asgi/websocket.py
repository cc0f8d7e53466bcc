"""WebSockets: an application's end of one connection. (ASGI WebSocket 2.5, and its denial response extension)"""

import asyncio
from collections import deque
from struct import Struct
from typing import Awaitable

from ..failures import ProtocolError, ProtocolTypeError, ProtocolValueError
from ..link import (
    ACCEPT,
    BINARY,
    BINARY_OUT,
    BODY,
    CLOSE,
    CLOSE_OUT,
    MESSAGE_COST,
    TEXT,
    TEXT_OUT,
    WINDOW,
)
from .heads import fields, joined, response_head
from .link import LoopLink
from .response import Response

_CODE = Struct("<H")
# Bytes of UTF-8 that a close frame has room for beside its code (RFC 6455, 5.5).
_REASON_LIMIT = 123
# The server writes these headers of the handshake (RFC 6455, 4.2.2).
_HANDSHAKE = (
    b"sec-websocket-accept",
    b"sec-websocket-extensions",
    b"sec-websocket-protocol",
    b"sec-websocket-version",
)


class WebSocket(Response):
    """One WebSocket, or the HTTP response with which the application turns it down."""

    # Whether the application has been given websocket.connect.
    _connected = False
    # Bytes that it has taken since we last asked for more.
    _taken = 0
    # Code and reason, once it is closed.
    _closed = None

    def __init__(self, link: LoopLink, id: int, scope: dict) -> None:
        Response.__init__(self, link, id, scope)
        self.steps = self.CONNECTING
        # Whole messages that it has not taken yet, as kind and bytes; the pieces of an incomplete one.
        self._messages: "deque[tuple[int, bytes]]" = deque()
        self._partial: "list[bytes]" = []

    # Messages to the application.

    async def receive(self) -> dict:
        """ASGI's receive: connect, the messages, disconnect."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        while not self._messages:
            if self._closed:
                await self._show_end()
                code, reason = self._closed
                return {"type": "websocket.disconnect", "code": code, "reason": reason}
            await self._changed()
        return self._message()

    def _message(self) -> dict:
        kind, data = self._messages.popleft()
        self._taken += len(data) + MESSAGE_COST
        if self._taken >= WINDOW // 2 and not self._closed:
            self._want(self._taken)
            self._taken = 0
        if kind == TEXT:
            return {"type": "websocket.receive", "text": data.decode()}
        return {"type": "websocket.receive", "bytes": data}

    def _arrived(self, kind: int, payload: bytes) -> None:
        if kind == TEXT or kind == BINARY:
            if self._partial:
                payload = b"".join((*self._partial, payload))
                self._partial = []
            self._messages.append((kind, payload))
        elif kind == BODY:
            self._partial.append(payload)
        elif kind == CLOSE:
            self._close_with(_CODE.unpack_from(payload)[0], payload[2:].decode("utf-8", "replace"))

    def _cancel(self, reason: str) -> None:
        """The client left before the handshake was complete, or without a closing handshake."""
        self._close_with(1006, reason)

    def _close_with(self, code: int, reason: str) -> None:
        if self._closed:
            return
        self._closed = (code, reason)
        Response._cancel(self, f"the WebSocket is closed ({code}{' ' if reason else ''}{reason})")

    # Messages from the application.

    def _accept(self, message: dict) -> None:
        chosen = message.get("subprotocol") or None
        offered = self.scope.get("subprotocols", ())
        if chosen is not None and chosen not in offered:
            raise ProtocolValueError(f"'subprotocol' {chosen!r} is not one that the client offered: {list(offered)!r}")
        lines = fields(message.get("headers") or ())
        forbidden = [name for name in lines[::2] if name in _HANDSHAKE]
        if forbidden:
            raise ProtocolError(f"'websocket.accept' must not have the header {forbidden[0]!r}")
        self.link.send(ACCEPT, self.id, joined([(chosen or "").encode("latin-1"), *lines]))
        self.steps = self.OPEN

    def _send(self, message: dict) -> "Awaitable[None] | None":
        text, data = message.get("text"), message.get("bytes")
        if (text is None) == (data is None):
            raise ProtocolError("'websocket.send' must have exactly one of 'text' and 'bytes' that is not None")
        kind = BINARY_OUT if text is None else TEXT_OUT
        data = _binary(data) if text is None else _utf8(text)
        self._spent += MESSAGE_COST
        size = len(data)
        if not self._fits(size):
            return self._send_large(data, kind)
        self._spent += size
        self.link.send(kind, self.id, data)
        return None

    async def _send_large(self, data: bytes, kind: int) -> None:
        try:
            await self._send_pieces(data, kind)
        except asyncio.CancelledError:
            if self.steps is self.OPEN:
                self._spent -= MESSAGE_COST  # nothing of it has left
            raise

    def _tear(self) -> None:
        self.steps = self.CUT if self.steps is self.OPEN else self.TORN

    @property
    def _is_torn(self) -> bool:
        return self.steps is self.CUT or self.steps is self.TORN

    def _close(self, message: dict) -> None:
        code, reason = _closing(message)
        self.link.send(CLOSE_OUT, self.id, _CODE.pack(code) + reason)
        self.steps = self.CLOSED

    def _refuse(self, message: dict) -> None:
        """websocket.close before the handshake is complete: 403."""
        _closing(message)
        self._head, self._length = response_head(403, ())
        self._answer(b"")

    def _deny(self, message: dict) -> None:
        status = message.get("status")
        if isinstance(status, int) and status < 300:
            raise ProtocolError(f"a WebSocket cannot be turned down with the status {status}")
        self._start(message)

    def _complete(self) -> None:
        self._closed = (1006, "")
        Response._complete(self)

    # The end.

    def _returned(self) -> None:
        if self.steps is self.OPEN or self.steps is self.CLOSED:
            self._done()  # the server closes a WebSocket that is still open, with 1000
        else:
            Response._returned(self)

    # The states: the messages that each allows, and their methods.
    CONNECTING = {
        "websocket.accept": _accept,
        "websocket.close": _refuse,
        "websocket.http.response.start": _deny,
    }
    OPEN = {"websocket.send": _send, "websocket.close": _close}
    # A message was given up in the middle: the server drops its beginning.
    CUT = {"websocket.close": _close}
    CLOSED = {}
    HEADED = {"websocket.http.response.body": Response._body}
    STREAMING = {"websocket.http.response.body": Response._body}


def _closing(message: dict) -> "tuple[int, bytes]":
    """Code and reason of a close frame, checked (RFC 6455, 5.5.1 and 7.4)."""
    code = message.get("code", 1000)
    if type(code) is not int or not (1000 <= code <= 1014 and code not in (1004, 1005, 1006) or 3000 <= code <= 4999):
        raise ProtocolValueError(
            f"'code' of 'websocket.close' must be one that may be sent (RFC 6455, 7.4), not {code!r}"
        )
    reason = message.get("reason")
    if reason is not None and type(reason) is not str:
        raise ProtocolTypeError(f"'reason' of 'websocket.close' must be a str, not {type(reason).__name__}")
    data = _utf8(reason or "")
    if len(data) > _REASON_LIMIT:
        raise ProtocolValueError(f"'reason' of 'websocket.close' has {len(data)} bytes; {_REASON_LIMIT} are allowed")
    return code, data


def _utf8(text: object) -> bytes:
    if not isinstance(text, str):
        raise ProtocolTypeError(f"text must be a str, not {type(text).__name__}")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ProtocolValueError(f"text must be such as UTF-8 can say: {error}") from None


def _binary(data: object) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise ProtocolTypeError(f"'bytes' of 'websocket.send' must be bytes, not {type(data).__name__}")
