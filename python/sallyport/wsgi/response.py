"""One request on its way through a WSGI application (PEP 3333).

Tested by test/python/test_wsgi_frames.py.
"""

import os
import struct
import sys
import traceback
from io import BufferedReader, BytesIO, RawIOBase
from time import monotonic
from types import GeneratorType

from .. import forks
from ..failures import BodyLost, ProtocolError, ProtocolTypeError, abort_payload
from ..link import ABORT, ANSWER, CHUNK, DONE, END, HEAD, HEADER, PIECE, RESPONSE
from ..stream import Disconnected, Stream
from .heads import response_head

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from .server import Server

# Largest body that leaves in one frame with its head.
_WHOLE_LIMIT = 131_072
# Seconds after a block has left in which others are kept, to leave together (outbox.py).
_GATHER_TIME = 0.0005

# Length, stream and kind of a frame, and the length of the head in it.
_pack_answer = struct.Struct("<IIBI").pack
_pack = HEADER.pack
# The steps of a response that is complete.
NOTHING: "Iterator[None]" = iter(())


class Response(Stream):
    """One request on its way through the application."""

    # Class attributes are how each begins. The head as bytes of the frame; None before start_response.
    _head = None
    # Bytes of body announced, -1 if they are not; bytes sent.
    _length = -1
    _sent = 0
    # HEAD, 204, 304: no body is sent.
    _bodyless = False
    # Whether the head has been sent, and whether more is to follow it.
    _started = False
    _open = False
    # When a block was sent at once.
    _sent_at = 0.0
    # The request body, if it is in a file.
    _file = None

    def __init__(self, driver: object, id: int, server: "Server") -> None:
        self.driver = driver
        self.id = id
        self._server = server

    def run(self, environ: dict) -> None:
        """Calls the application and sends its whole response. Raises SystemExit and its like only."""
        try:
            for _ in self._answer(self._call(environ)):
                pass
        except BaseException as error:
            self._end_by(error)
        finally:
            if self._file:
                self._file.close()

    def begin(self, environ: dict) -> "Iterator[None] | None":
        """Calls the application. Each step of the result sends a block; None if all is sent already."""
        rest = NOTHING
        try:
            rest = self._answer(self._call(environ))
        except BaseException as error:
            self._end_by(error)
        finally:
            if rest is NOTHING and self._file:
                self._file.close()
        return None if rest is NOTHING else self._guard(rest)

    def _call(self, environ: dict) -> object:
        body = environ.get("wsgi.input", b"")
        environ["wsgi.input"] = BytesIO(body) if type(body) is bytes else self._open_body(body)
        self._bodyless = environ["REQUEST_METHOD"] == "HEAD"
        return self._server.app(environ, self.start_response)

    def _guard(self, rest: "Iterator[None]") -> "Iterator[None]":
        """The application's exceptions end in `_step`; a GeneratorExit at the yield comes from outside."""
        try:
            while self._step(rest):
                yield
        finally:
            rest.close()
            if self._file:
                self._file.close()

    def _step(self, rest: "Iterator[None]") -> bool:
        try:
            next(rest)
        except StopIteration:
            return False
        except BaseException as error:
            self._end_by(error)
            return False
        return True

    def _end_by(self, error: BaseException) -> None:
        forks.end_if_child(error)
        if isinstance(error, Disconnected) and error.stream is self:
            return self.send(DONE)
        self._failed(error)
        if self.driver.ends_with(error):
            raise error

    def _open_body(self, body: "str | None") -> object:
        """A body in a file of the server's, or (None) one that is still arriving."""
        if body is None:
            return BufferedReader(_StreamedBody(self), PIECE)
        try:
            self._file = open(body, "rb")
        except OSError as error:
            raise BodyLost(f"the request body was set aside in a file that cannot be opened: {error}") from None
        try:
            os.unlink(body)  # private data must not stay on the disk
        except OSError:
            pass  # another user's worker may not; the server removes the file once the request is over
        return self._file

    # PEP 3333, "The start_response() Callable".

    def start_response(self, status: str, headers: list, exc_info: object = None) -> object:
        if exc_info:
            try:
                if self._started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # no cycle through the frame
        elif self._head is not None:
            raise ProtocolError("start_response was called a second time without exc_info")
        self._head, self._length = response_head(status, headers)
        return self.write

    def write(self, data: bytes) -> None:
        """PEP 3333, "The write() Callable": the data has left before this returns."""
        _check_bytes(data, "write() was given")
        if data:
            self._send_block(data, False)

    # The body. PEP 3333, "Buffering and Streaming": no block waits for the next one. The server takes what lies in the
    # outbox while the application makes its next block; without an outbox, `hold` sends at once.

    def _answer(self, result: object) -> "Iterator[None]":
        """Sends the blocks, one for each step; what is one block is sent at once."""
        kind = type(result)
        if (kind is list or kind is tuple) and not self._started:
            data = _join(result)
            if len(data) <= _WHOLE_LIMIT and (self._length <= len(data) or self._bodyless):
                self._send_whole(data, RESPONSE)
                return NOTHING
            result = (data,)
        return self._iterate(result)

    def _send_whole(self, data: bytes, kind: int) -> None:
        """Head and whole body in one frame. After ANSWER the application may still clean up."""
        head = self._take_head()
        if self._bodyless:
            data = b""
        elif 0 <= self._length < len(data):
            self._warn_too_long()
            data = data[: self._length]
        self._sent = len(data)
        size = len(head)
        self.hold(_pack_answer(4 + size + len(data), self.id, kind, size) + head + data)

    def _iterate(self, result: object) -> "Iterator[None]":
        try:
            for data in result:
                _check_bytes(data, "the application yielded")
                if not data:
                    self._check_client()
                elif not self._send_block(data, True):
                    break
                yield
            done = _needs_no_close(result)
            self._finish(done)
        finally:
            self._close(result)
        if not done:
            self.hold(_pack(0, self.id, DONE))

    def _check_client(self) -> None:
        """An empty block sends nothing. An application that only makes those ends here once its client has left."""
        if self._open:
            self.driver.between_blocks(self)
        else:
            self.driver.poll(self)
        if self.cancelled:
            raise Disconnected(self.cancelled, self)

    def _send_block(self, data: bytes, may_gather: bool) -> bool:
        """Sends a block, perhaps together with others. Returns whether it fits into the announced length."""
        if not self._started:
            head = self._take_head()
            if self._bodyless or self._length == len(data) <= _WHOLE_LIMIT:
                self._send_whole(data, ANSWER)
                return True
            self._begin_body(head)
        room = len(data) if self._length < 0 else self._length - self._sent
        if self._bodyless or not self._open:
            room = 0
        if room:
            self._send_all(data[:room] if room < len(data) else data, may_gather)
        if self._open and self._sent == self._length:
            self._end()
        if room < len(data) and not self._bodyless:
            self._warn_too_long()
        if self._open:
            self.driver.between_blocks(self)
        return room >= len(data)

    def _send_all(self, data: bytes, may_gather: bool) -> None:
        start = 0
        while start < len(data):
            size = min(len(data) - start, PIECE)
            if may_gather and self._gathers(size):
                self.hold(_pack(size, self.id, CHUNK) + data[start : start + size])
            else:
                size = self.take_credit(size)
                self.send(CHUNK, data[start : start + size])
                self._sent_at = monotonic()
            start += size
        self._sent += len(data)

    def _gathers(self, size: int) -> bool:
        """Takes credit for a piece if it may be kept for a moment. Spares a look for CREDIT and CANCEL, too."""
        if self.cancelled or self.granted - self.spent < size or monotonic() - self._sent_at > _GATHER_TIME:
            return False
        self.spent += size
        return True

    def _finish(self, done: bool) -> None:
        """`done`: the application runs no more code, so that DONE need not be a write of its own."""
        if not self._started and self._length > 0 and not self._bodyless:
            self._begin_body(self._take_head())
        if not self._started:
            self._send_whole(b"", RESPONSE if done else ANSWER)
        elif done and self._open:
            self._end_and_done()
        elif done:
            self.hold(_pack(0, self.id, DONE))
        elif self._open:
            self._end()

    def _begin_body(self, head: bytes) -> None:
        self._open = True
        self.hold(_pack(len(head), self.id, HEAD) + head)

    def _end(self) -> None:
        self._open = False
        self.hold(_pack(0, self.id, END))

    def _end_and_done(self) -> None:
        self._open = False
        self.hold(_pack(0, self.id, END) + _pack(0, self.id, DONE))

    def _take_head(self) -> bytes:
        head = self._head
        if head is None:
            raise ProtocolError("the application did not call start_response before its body")
        self._started = True
        if head[1:4] in (b"204", b"304"):
            self._bodyless = True
        return head

    def _warn_too_long(self) -> None:
        print("sallyport: the application sent more than its Content-Length; the rest was dropped", file=sys.stderr)

    def _close(self, result: object) -> None:
        """PEP 3333: close() is called however the request ended. If it fails, that is only logged."""
        close = getattr(result, "close", None)
        if close is None:
            return
        try:
            close()
        except BaseException as error:
            if self.driver.ends_with(error):
                raise
            print("sallyport: the response's close() failed", file=sys.stderr)
            traceback.print_exc()

    def _failed(self, error: BaseException) -> None:
        self.send(ABORT, abort_payload(error, self.driver.ends_with(error)))


class _StreamedBody(RawIOBase):
    """A body that is still arriving; io.BufferedReader makes `wsgi.input` of it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        rest = self._rest or self._stream.body_piece()
        size = min(len(rest), len(buffer))
        buffer[:size] = rest[:size]
        self._rest = rest[size:]
        return size


def _needs_no_close(result: object) -> bool:
    """Whether there is no close(), or only that of a generator that has ended."""
    if type(result) is GeneratorType:
        return result.gi_frame is None
    return getattr(result, "close", None) is None


def _join(blocks: "list | tuple") -> bytes:
    for data in blocks:
        _check_bytes(data, "the application returned")
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _check_bytes(data: object, what: str) -> None:
    if not isinstance(data, bytes):
        raise ProtocolTypeError(f"{what} a {type(data).__name__} where PEP 3333 asks for bytes")
