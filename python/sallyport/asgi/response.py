"""HTTP responses as an application sends them (`http.response.*`). A WebSocket that is turned down gets one as well.

Tested by test/python/test_asgi_http.py.
"""

import os
from typing import Awaitable

from ..failures import ProtocolError, ProtocolTypeError, ProtocolValueError
from ..link import CHUNK, END, FILE, HEAD, INFORM, PIECE
from .heads import fields, hints, joined, response_head
from .stream import Stream

# Largest body that leaves in one frame with its head.
_WHOLE_LIMIT = 131_072


class Response(Stream):
    """The response so far, and the messages that may follow: their tables are at the end of the class."""

    # Class attributes are how each begins. The head while it waits for the first piece of body.
    _head = None
    # Bytes of body announced, -1 when they are not; bytes sent.
    _length = -1
    _sent = 0
    # HEAD, 204, 304: no body is sent.
    _bodyless = False
    # Whether trailers are announced, can be taken, and what they are so far.
    _trailing = False
    _takes_trailers = False
    _trailers = None
    # The batch of the link that has the whole response, and its place there.
    _answered = -1
    _place = 0

    def _start(self, message: dict) -> None:
        try:
            status = message["status"]
        except KeyError:
            raise ProtocolError(f"{message['type']!r} has no 'status'") from None
        self._head, self._length = response_head(status, message.get("headers") or ())
        if status == 204 or status == 304:
            self._bodyless = True
        if message.get("trailers"):
            self._trailing = True
        self.steps = self.HEADED
        if not self.inside:
            self.link.hold(self)

    def _body(self, message: dict) -> "Awaitable[None] | None":
        body = message.get("body", b"")
        if type(body) is not bytes:
            body = _bytes(body, message)
        more = message.get("more_body", False)
        self._check_length(len(body), more)
        if self._head is not None:
            if not more and len(body) <= _WHOLE_LIMIT and not self._trailing:
                return self._answer(body)
            self.release_head()
        self.steps = self.STREAMING
        size = 0 if self._bodyless else len(body)
        if size and not self._fits(size):
            return self._large(body, more)
        if size:
            self._spent += size
            self._sent += size
            self.link.send(CHUNK, self.id, body)
        if not more:
            self._body_ended()
        return None

    def _answer(self, body: bytes) -> None:
        """Head and whole body in one frame: the fast path."""
        link = self.link
        self._answered = link.batch
        self._place = link.answer(self.id, self._head, b"" if self._bodyless else body)
        self._head = None
        self._complete()

    async def _large(self, body: bytes, more: bool) -> None:
        await self._send_pieces(body)
        self._sent += len(body)
        if not more:
            self._body_ended()

    def _check_length(self, size: int, more: bool) -> None:
        """The body must have exactly the announced length."""
        if self._length < 0 or self._bodyless:
            return
        total = self._sent + size
        if total > self._length:
            raise ProtocolError(f"the body is longer than its content-length of {self._length}")
        if not more and total < self._length:
            raise ProtocolError(f"the body ends after {total} bytes; its content-length is {self._length}")

    def _path(self, message: dict) -> "Awaitable[None] | None":
        """Extension http.response.pathsend: the rest of the body is a file, which the server reads.

        The path must be absolute; frameworks pass on relative ones, which refer to the directory of this process.
        """
        path = message.get("path")
        if not isinstance(path, str):
            raise ProtocolTypeError(f"'path' of 'http.response.pathsend' must be a str, not {type(path).__name__}")
        data = os.fsencode(os.path.abspath(path))
        if len(data) > PIECE:
            raise ProtocolValueError(f"'path' of 'http.response.pathsend' has {len(data)} bytes")
        self.release_head()
        if not self._bodyless:
            return self._file(data)
        self._body_ended()
        return None

    async def _file(self, path: bytes) -> None:
        """Returns once the server has opened the file: the application may delete it then."""
        self.link.send(FILE, self.id, path)
        self.steps = self.TORN  # if this is cancelled
        self._spent = self._granted  # so that the next CREDIT says that the file is open
        await self._room()
        self._body_ended()

    def _hint(self, message: dict) -> None:
        """Extension http.response.early_hint (RFC 8297). Ignored once the head has left."""
        if self.steps is not self.NEW and self._head is None:
            return
        self.link.send(INFORM, self.id, hints(message.get("links", ())))

    def _body_ended(self) -> None:
        if self._trailing:
            self._trailers = []
            self.steps = self.ENDED
        else:
            self.link.send(END, self.id)
            self._complete()

    def _more_trailers(self, message: dict) -> None:
        self._trailers += fields(message.get("headers") or ())
        if not message.get("more_trailers"):
            self.link.send(END, self.id, joined(self._trailers) if self._takes_trailers else b"")
            self._complete()

    def _complete(self) -> None:
        self.steps = self.COMPLETE
        if self._waiters:
            self.wake()

    @property
    def has_begun(self) -> bool:
        """Whether the application has sent its head, and more of the body may follow."""
        return self.steps is self.HEADED or self.steps is self.STREAMING

    @property
    def has_head(self) -> bool:
        """Whether the head waits for its body."""
        return self._head is not None

    def release_head(self) -> None:
        """Sends the head alone: its body takes too long, or is too large, for one frame with it."""
        if self._head is not None and self.steps and self.cancelled is None:
            self.link.send(HEAD, self.id, self._head)
            self._head = None

    def _returned(self) -> None:
        if self.steps is self.COMPLETE:
            self.link.finish(self.id, self._answered, self._place)
        elif self.cancelled is not None or (self._leaving and self.has_begun):
            self.release_head()
            self._done()
        elif self._is_torn:
            self._abort(ProtocolError("the application gave up sending in the middle of a message"))
        else:
            self._abort(ProtocolError(f"the application returned without sending {next(iter(self.steps))!r}"))

    # The states of a response: the messages that each allows, and their methods.
    EARLY_HINT = "http.response.early_hint"
    NEW = {"http.response.start": _start, EARLY_HINT: _hint}
    HEADED = {"http.response.body": _body, EARLY_HINT: _hint}
    STREAMING = {"http.response.body": _body, EARLY_HINT: _hint}
    ENDED = {"http.response.trailers": _more_trailers}
    COMPLETE = {}


def _bytes(body: object, message: dict) -> bytes:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise ProtocolTypeError(f"'body' of {message['type']!r} must be bytes, not {type(body).__name__}")
