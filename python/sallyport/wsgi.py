"""The server's half of WSGI 1.0.1 (PEP 3333), inside the worker."""

import os
import re
import struct
import sys
import traceback
from io import BufferedReader, BytesIO, RawIOBase
from marshal import loads
from types import GeneratorType
from typing import Iterator

from .failures import BodyLost, ProtocolError, ProtocolTypeError, ProtocolValueError, abort_payload
from .link import (
    ABORT,
    ANSWER,
    CHUNK,
    DONE,
    END,
    HAS_DATE,
    HAS_LENGTH,
    HEAD,
    HEAD_LIMIT,
    HEADER,
    PIECE,
    REPEAT,
    RESPONSE,
)
from .stream import Disconnected, Stream

# Largest body that leaves in one frame with its head.
_ONE_SHOT = 131_072

# "200 OK"; the phrase means nothing (RFC 9112, 4), and many leave it away.
_STATUS = re.compile(r"[2-9][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*)?")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# What no value may contain; in the lines of a head only their ends are of it.
_CONTROL = bytes((*range(9), *range(10, 32), 127))

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
# Names that have passed the check, as the application writes them, with what they say of the head; bounded.
_ROLES = {"content-length": HAS_LENGTH, "date": HAS_DATE}
_known_names = {"Content-Length": HAS_LENGTH, "Content-Type": 0}
# Statuses that have passed the check, with their lines; bounded.
_known_statuses = {"200 OK": "200 OK\r\n"}
_KNOWN_LIMIT = 1000
# Whole heads that have passed the check, by status and fields, with their Content-Length; bounded.
_known_heads: "dict[tuple, tuple[bytes, int]]" = {}
_HEADS_LIMIT = 512
_HEAD_REMEMBERED = 2048
_FLAGS = [bytes([flags]) for flags in range(8)]
# Length, stream and kind of a frame, and the length of the head in it.
_pack_answer = struct.Struct("<IIBI").pack
_pack = HEADER.pack


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

        # What requests refer to, by its number.
        self._common_parts: "dict[int, dict]" = {}

    def open(self, id: int) -> "Response":
        return Response(self._driver, id, self)

    def learn(self, number: int, payload: bytes) -> None:
        """COMMON: what requests of one connection have in common, and the number of what may be forgotten for it."""
        forgotten, common = loads(payload)
        self._common_parts.pop(forgotten, None)
        self._common_parts[number] = {**self.base, **common}

    def environ(self, kind: int, payload: bytes) -> dict:
        """The environ of a REQUEST or a REPEAT, but for what `wsgi.input` will be."""
        if kind != REPEAT:
            return {**self.base, **loads(payload)}
        number, method, script_name, path_info, query, uri, rest = loads(payload)
        environ = self._common_parts[number].copy()
        environ["REQUEST_METHOD"] = method
        environ["SCRIPT_NAME"] = script_name
        environ["PATH_INFO"] = path_info
        environ["QUERY_STRING"] = query
        environ["REQUEST_URI"] = uri
        if rest:
            environ.update(rest)
        return environ


class Response(Stream):
    """One request on its way through the application."""

    # How each begins. The head as the application gave it: bytes of the frame; None before start_response.
    _head = None
    # Bytes of body announced, -1 when they are not, and sent.
    _length = -1
    _sent = 0
    # HEAD, 204, 304: nothing that the application yields is sent.
    _bodyless = False
    # Whether the head is on its way, and whether more is to follow it.
    _started = False
    _open = False
    # The request body, where it waits in a file.
    _file = None

    def __init__(self, driver: object, id: int, server: Server) -> None:
        self.driver = driver
        self.id = id
        self._server = server

    def run(self, environ: dict) -> None:
        """Calls the application and sends all it answers. Only SystemExit and its like leave."""
        rest = self.begin(environ)
        if rest:
            for _ in rest:
                pass

    def begin(self, environ: dict) -> "Iterator[None] | None":
        """Calls the application. What it yields is sent by whoever iterates, a block a step; None: all is sent."""
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
        try:
            self._file = open(body, "rb")
            os.unlink(body)  # private data stays on the disk no longer than it has to
        except OSError as error:
            raise BodyLost(f"the request body was set aside in a file that cannot be opened: {error}") from None
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
        self._head, self._length = _checked_head(status, headers)
        return self.write

    def write(self, data: bytes) -> None:
        """PEP 3333, "The write() Callable": out before this returns."""
        _check_bytes(data, "write() was given")
        if data:
            self._piece(data)

    # The body. PEP 3333, "Buffering and Streaming": no block waits for the next one.

    def _answer(self, result: object) -> "Iterator[None] | None":
        kind = type(result)
        if (kind is list or kind is tuple) and not self._started:
            data = _joined(result)
            if len(data) <= _ONE_SHOT and (self._length <= len(data) or self._bodyless):
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
        size = len(head)
        self.hold(_pack_answer(4 + size + len(data), self.id, kind, size) + head + data)

    def _iterated(self, result: object) -> "Iterator[None]":
        try:
            for data in result:
                _check_bytes(data, "the application yielded")
                if data and not self._piece(data):
                    break
                yield
            done = _leaves_nothing(result)
            self._finish(done)
        finally:
            self._close(result)
        if not done:
            self.hold(_pack(0, self.id, DONE))

    def _piece(self, data: bytes) -> bool:
        """Sends a block; false when the response is full and this one was too much."""
        if not self._started:
            head = self._taken_head()
            if self._bodyless or self._length == len(data) <= _ONE_SHOT:
                self._one_shot(data, ANSWER)
                return True
            self._begin_body(head)
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

    def _finish(self, done: bool) -> None:
        """`done`: nothing of the application's runs any more, so that DONE need not follow by itself."""
        if not self._started and self._length > 0 and not self._bodyless:
            self._begin_body(self._taken_head())
        if not self._started:
            self._one_shot(b"", RESPONSE if done else ANSWER)
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
        self.send(END)

    def _end_and_done(self) -> None:
        self._open = False
        self.hold(_pack(0, self.id, END) + _pack(0, self.id, DONE))

    def _taken_head(self) -> bytes:
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


def _checked_head(status: str, headers: list) -> "tuple[bytes, int]":
    """The head as bytes of a frame, and the Content-Length (-1 where there is none). Raises ProtocolError."""
    if type(headers) is not list:
        raise ProtocolTypeError(f"the headers must be a list of tuples, not a {type(headers).__name__}")
    try:
        known = _known_heads.get((status, *headers))
    except TypeError:
        known = None  # something that cannot be a key, and will be refused
    return known or _remembered(status, headers)


def _remembered(status: str, headers: list) -> "tuple[bytes, int]":
    text = _known_statuses.get(status) if type(status) is str else None
    if text is None:
        text = _status_line(status)
    flags, length = 0, -1
    for pair in headers:
        if type(pair) is not tuple or len(pair) != 2:
            raise ProtocolTypeError(f"each header must be a tuple (name, value), not {pair!r}")
        name, value = pair
        role = _known_names.get(name)
        if role is None:
            role = _checked_name(name)
        if role:
            flags |= role
            if role == HAS_LENGTH:
                length = _length(value, length)
        if not isinstance(value, str):
            raise ProtocolTypeError(f"a header's value must be a str, not a {type(value).__name__}")
        text = f"{text}{name}: {value}\r\n"
    head = _head_bytes(flags, text, headers)
    if len(head) <= _HEAD_REMEMBERED:
        if len(_known_heads) == _HEADS_LIMIT:
            _known_heads.clear()
        _known_heads[(status, *headers)] = head, length
    return head, length


def _leaves_nothing(result: object) -> bool:
    """Whether close() has nothing to do: there is none, or it is that of a generator that has ended."""
    if type(result) is GeneratorType:
        return result.gi_frame is None
    return getattr(result, "close", None) is None


def _joined(blocks: "list | tuple") -> bytes:
    for data in blocks:
        _check_bytes(data, "the application returned")
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _check_bytes(data: object, what: str) -> None:
    if not isinstance(data, bytes):
        raise ProtocolTypeError(f"{what} a {type(data).__name__} where PEP 3333 asks for bytes")


def _status_line(status: object) -> str:
    if type(status) is not str:
        raise ProtocolTypeError(f"the status must be a str, not a {type(status).__name__}")
    if not _STATUS.fullmatch(status):
        raise ProtocolValueError(f"the status must look like '200 OK', not {status!r}")
    line = status if len(status) > 4 else status[:3]
    if len(_known_statuses) < _KNOWN_LIMIT:
        _known_statuses[status] = line + "\r\n"
    return line + "\r\n"


def _checked_name(name: object) -> int:
    if type(name) is not str:
        raise ProtocolTypeError(f"a header's name must be a str, not a {type(name).__name__}")
    if not _TOKEN.fullmatch(name):
        raise ProtocolValueError(f"{name!r} is not a header name")
    lower = name.lower()
    if lower in _HOP_BY_HOP:
        raise ProtocolValueError(f"{name} is a hop-by-hop header, which PEP 3333 forbids an application to set")
    if lower == "status":
        raise ProtocolValueError("a header must not be called Status; the status goes into its own argument")
    role = _ROLES.get(lower, 0)
    if len(_known_names) < _KNOWN_LIMIT:
        _known_names[name] = role
    return role


def _length(value: str, earlier: int) -> int:
    if earlier >= 0:
        raise ProtocolValueError("Content-Length is given twice")
    if type(value) is not str:
        raise ProtocolTypeError(f"Content-Length must be a str, not a {type(value).__name__}")
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        raise ProtocolValueError(f"Content-Length must be a number, not {value!r}")
    return int(value)


def _head_bytes(flags: int, text: str, headers: list) -> bytes:
    try:
        lines = text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ProtocolValueError(f"header values must be native strings of latin-1 characters: {error}") from None
    if len(lines) > HEAD_LIMIT:
        raise ProtocolValueError(f"the response's head has {len(lines)} bytes; {HEAD_LIMIT} are allowed")
    if len(lines) - len(lines.translate(None, _CONTROL)) != 2 * len(headers) + 2:
        bad = next(value for _, value in headers if _has_control(value))
        raise ProtocolValueError(f"a header must not hold control characters: {bad!r}")
    return _FLAGS[flags] + lines


def _has_control(value: str) -> bool:
    data = value.encode("latin-1")
    return len(data.translate(None, _CONTROL)) < len(data)
