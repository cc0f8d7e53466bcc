"""The server's half of WSGI 1.0.1 (PEP 3333), inside the worker."""

import re
import sys
import traceback
from io import BufferedReader, BytesIO, RawIOBase
from marshal import loads
from typing import Iterator

from .failures import ProtocolError, abort_payload
from .link import ABORT, ANSWER, CHUNK, COUNT, DONE, END, HEAD, PIECE, RESPONSE
from .stream import Disconnected, Stream

# Largest body that leaves in one frame with its head.
_ONE_SHOT = 131_072

# "200 OK"; the phrase means nothing (RFC 9112, 4), and many leave it away.
_STATUS = re.compile(r"[2-9][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*)?")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# What may not stand in the text of a head, where LF separates and never belongs to a value.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

# PEP 3333: "applications are forbidden from using HTTP/1.1 hop-by-hop features or headers".
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    )
)
# Names that have passed the check, as the application writes them; bounded.
_known_names = {"Content-Type", "Content-Length", "Location", "Set-Cookie", "Vary", "ETag", "Cache-Control"}
_KNOWN_LIMIT = 1000


class FileWrapper:
    """`wsgi.file_wrapper`: any file-like object, block by block."""

    def __init__(self, file: object, block_size: int = PIECE) -> None:
        self._read = file.read
        self._block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        block = self._read(self._block_size)
        if block:
            return block
        raise StopIteration


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


class Server:
    """One application and the part of the environ that is the same for every request."""

    def __init__(self, app: object, driver: object, constants: "dict[str, str]", threads: int, processes: int) -> None:
        self.app = app
        self._driver = driver
        self.base = {
            **constants,
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": threads > 1,
            "wsgi.multiprocess": processes > 1,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
        }

    def open(self, id: int) -> "Response":
        return Response(self._driver, id, self)


class Response(Stream):
    """One request on its way through the application."""

    __slots__ = ("_server", "_head", "_length", "_sent", "_bodyless", "_started", "_open", "_file")

    def __init__(self, driver: object, id: int, server: Server) -> None:
        Stream.__init__(self, driver, id)
        self._server = server
        # The head as the application gave it: text of the frame; None before start_response.
        self._head = None
        # Octets of body announced, -1 when they are not.
        self._length = -1
        self._sent = 0
        # HEAD, 204, 304: nothing that the application yields is sent.
        self._bodyless = False
        # Whether the head is on its way, and whether more is to follow it.
        self._started = False
        self._open = False
        # The request body, where it waits in a file.
        self._file = None

    def run(self, payload: bytes) -> None:
        """Calls the application and sends all it answers. Only SystemExit and its like leave."""
        rest = self.begin(payload)
        if rest:
            for _ in rest:
                pass

    def begin(self, payload: bytes) -> "Iterator[None] | None":
        """Calls the application. What it yields is sent by whoever iterates, a block a step; None: all is sent."""
        environ = self._server.base.copy()
        environ.update(loads(payload))
        body = environ.get("wsgi.input", b"")
        rest = None
        try:
            environ["wsgi.input"] = BytesIO(body) if type(body) is bytes else self._opened(body)
            self._bodyless = environ["REQUEST_METHOD"] == "HEAD"
            rest = self._answer(self._server.app(environ, self.start_response))
        except BaseException as error:
            self._ended_by(error)
        finally:
            if rest is None and self._file:
                self._file.close()
        return rest and self._guarded(rest)

    def _guarded(self, rest: "Iterator[None]") -> "Iterator[None]":
        """Whatever the application raises ends here, GeneratorExit too: one from outside comes at the yield."""
        try:
            while self._stepped(rest):
                yield
        finally:
            rest.close()
            if self._file:
                self._file.close()

    def _stepped(self, rest: "Iterator[None]") -> bool:
        try:
            next(rest)
        except StopIteration:
            return False
        except BaseException as error:
            self._ended_by(error)
            return False
        return True

    def _ended_by(self, error: BaseException) -> None:
        if isinstance(error, Disconnected):
            return self.send(DONE)
        self._failed(error)
        if self.driver.ends_with(error):
            raise error

    def _opened(self, body: "str | None") -> object:
        """A body that waits in a file of the front's, or (None) one that is still arriving."""
        if body is None:
            return BufferedReader(_StreamedBody(self), PIECE)
        self._file = open(body, "rb")
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
        self._length = -1
        self._head = self._checked_head(status, headers)
        return self.write

    def write(self, data: bytes) -> None:
        """PEP 3333, "The write() Callable": out before this returns."""
        _check_bytes(data, "write() was given")
        if data:
            self._piece(data)

    def _checked_head(self, status: str, headers: list) -> bytes:
        if type(status) is not str or not _STATUS.fullmatch(status):
            raise ProtocolError(f"the status must look like '200 OK', not {status!r}")
        if type(headers) is not list:
            raise ProtocolError(f"the headers must be a list of tuples, not a {type(headers).__name__}")
        lines = [status]
        for pair in headers:
            if type(pair) is not tuple or len(pair) != 2:
                raise ProtocolError(f"each header must be a tuple (name, value), not {pair!r}")
            name, value = pair
            if name not in _known_names:
                _check_name(name)
            if name == "Content-Length" or name.lower() == "content-length":
                self._length = _length(value, self._length)
            lines += pair
        return _head_octets(lines)

    # The body. PEP 3333, "Buffering and Streaming": no block waits for the next one.

    def _answer(self, result: object) -> "Iterator[None] | None":
        kind = type(result)
        if (kind is list or kind is tuple) and not self._started:
            data = _joined(result)
            if len(data) <= _ONE_SHOT:
                self._one_shot(data, RESPONSE)
                return None
            result = (data,)
        return self._iterated(result)

    def _one_shot(self, data: bytes, kind: int) -> None:
        """Head and whole body in one frame; what follows, if anything, is the application's own tidying up."""
        head = self._taken_head()
        if self._bodyless:
            data = b""
        elif 0 <= self._length < len(data):
            self._warn_too_long()
            data = data[: self._length]
        self._sent = len(data)
        self.send(kind, COUNT.pack(len(head)) + head + data)

    def _iterated(self, result: object) -> "Iterator[None]":
        try:
            for data in result:
                _check_bytes(data, "the application yielded")
                if data and not self._piece(data):
                    break
                yield
            self._finish()
        finally:
            self._close(result)
        self.send(DONE)

    def _piece(self, data: bytes) -> bool:
        """Sends a block; false when the response is full and this one was too much."""
        if not self._started:
            head = self._taken_head()
            if self._bodyless or self._length == len(data) <= _ONE_SHOT:
                self._one_shot(data, ANSWER)
                return True
            self._open = True
            self.send(HEAD, head)
        room = len(data) if self._length < 0 else self._length - self._sent
        if self._bodyless or not self._open:
            room = 0
        if room:
            self._send_all(data[:room] if room < len(data) else data)
        if self._open and self._sent == self._length:
            self._end()
        if room < len(data) and not self._bodyless:
            self._warn_too_long()
        return room >= len(data)

    def _send_all(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            size = self.take_credit(min(len(data) - start, PIECE))
            self.send(CHUNK, data[start : start + size])
            start += size
        self._sent += len(data)

    def _finish(self) -> None:
        if not self._started:
            self._one_shot(b"", ANSWER)
        elif self._open:
            self._end()

    def _end(self) -> None:
        self._open = False
        self.send(END)

    def _taken_head(self) -> bytes:
        head = self._head
        if head is None:
            raise ProtocolError("the application did not call start_response before its body")
        self._started = True
        if head[:3] in (b"204", b"304"):
            self._bodyless = True
        return head

    def _warn_too_long(self) -> None:
        print("sallyport: the application sent more than its Content-Length; the rest was dropped", file=sys.stderr)

    def _close(self, result: object) -> None:
        """PEP 3333: close() is called however the request ended, and its own failure is only news for the log."""
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


def _joined(blocks: "list | tuple") -> bytes:
    for data in blocks:
        _check_bytes(data, "the application returned")
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _check_bytes(data: object, what: str) -> None:
    if not isinstance(data, bytes):
        raise ProtocolError(f"{what} a {type(data).__name__} where PEP 3333 asks for bytes")


def _check_name(name: object) -> None:
    if type(name) is not str or not _TOKEN.fullmatch(name):
        raise ProtocolError(f"{name!r} is not a header name")
    if name.lower() in _HOP_BY_HOP:
        raise ProtocolError(f"{name} is a hop-by-hop header, which PEP 3333 forbids an application to set")
    if name.lower() == "status":
        raise ProtocolError("a header must not be called Status; the status goes into its own argument")
    if len(_known_names) < _KNOWN_LIMIT:
        _known_names.add(name)


def _length(value: str, earlier: int) -> int:
    if earlier >= 0:
        raise ProtocolError("Content-Length is given twice")
    if type(value) is not str or not (value.isascii() and value.isdigit() and len(value) < 16):
        raise ProtocolError(f"Content-Length must be a number, not {value!r}")
    return int(value)


def _head_octets(lines: "list[str]") -> bytes:
    try:
        text = "\n".join(lines)
        octets = text.encode("latin-1")
    except (TypeError, UnicodeEncodeError) as error:
        raise ProtocolError(f"header values must be native strings of latin-1 characters: {error}") from None
    if text.count("\n") != len(lines) - 1 or _CONTROL.search(text):
        bad = next(value for value in lines if "\n" in value or _CONTROL.search(value))
        raise ProtocolError(f"a header must not hold control characters: {bad!r}")
    return octets
