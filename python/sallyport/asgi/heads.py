"""Response heads as ASGI applications give them, made into the text of the link: status, names and values in lines."""

import re
from typing import Iterable

from ..failures import ProtocolError, ProtocolTypeError, ProtocolValueError
from ..link import HEAD_LIMIT

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# What may not stand in a value, and LF, which separates.
_CONTROL = bytes((*range(9), *range(10, 32), 127))
_STATUS = {status: b"%d" % status for status in range(200, 1000)}

_CONNECTION, _CLOSE = b"connection", b"close"
# The connection is the server's affair (RFC 9110, 7.6.1). Frameworks set these in good faith, so they are passed over.
_HOP_BY_HOP = (
    _CONNECTION,
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"transfer-encoding",
    b"upgrade",
)
_LENGTH = b"content-length"
_SKIPPED = b""
# Names as applications write them, by what is made of them; bounded.
_known = dict.fromkeys(_HOP_BY_HOP, _SKIPPED)
_known.update((name, name) for name in (b"content-type", _LENGTH, b"location", b"set-cookie", b"vary", b"etag"))
_KNOWN_LIMIT = 1000


def response_head(status: int, headers: Iterable) -> "tuple[bytes, int]":
    """The octets, and the Content-Length (-1 where there is none). Raises ProtocolError."""
    code = _STATUS.get(status) if type(status) is int else _status(status)
    if code is None:
        raise ProtocolValueError(f"'status' must be from 200 to 999, not {status!r}")
    lines = [code]
    length = -1
    try:
        for name, value in headers:
            known = _known.get(name)
            if known is None:
                known = _checked_name(name)
            if known is _SKIPPED:
                if not _asks_to_close(name, value):
                    continue
                known, value = _CONNECTION, _CLOSE
            if known == _LENGTH:
                length = _length(value, length)
            lines.append(known)
            lines.append(value)
    except ProtocolError:
        raise
    except (TypeError, ValueError):
        raise ProtocolTypeError(_bad_headers(headers)) from None
    return joined(lines), length


def fields(headers: Iterable) -> "list[bytes]":
    """Names and values in turn, of an acceptance or of trailers. Raises ProtocolError."""
    lines = response_head(200, headers)[0].split(b"\n")[1:]
    return [part for pair in zip(lines[::2], lines[1::2]) if pair[0] != _CONNECTION for part in pair]


def joined(lines: "list[bytes]") -> bytes:
    """The lines with LF between them, once it is sure that none has a control character of its own."""
    try:
        octets = b"\n".join(lines)
    except TypeError:
        wrong = next(line for line in lines if not isinstance(line, (bytes, bytearray, memoryview)))
        raise ProtocolTypeError(f"a header's value must be bytes, not {_kind(wrong)}: {wrong!r}") from None
    if len(octets) > HEAD_LIMIT:
        raise ProtocolValueError(f"the head, or the trailers, have {len(octets)} octets; {HEAD_LIMIT} are allowed")
    if len(octets) - len(octets.translate(None, _CONTROL)) != len(lines) - 1:
        wrong = next(line for line in lines if len(line.translate(None, _CONTROL)) < len(line))
        raise ProtocolValueError(f"a header must not hold control characters: {wrong!r}")
    return octets


def _status(status: object) -> "bytes | None":
    """An int of another class, as http.HTTPStatus is; never a bool."""
    if isinstance(status, int) and status is not True and status is not False:
        return _STATUS.get(int(status))
    raise ProtocolTypeError(f"'status' must be an int, not {_kind(status)}")


def _asks_to_close(name: bytes, value: object) -> bool:
    """Whether the connection is to end with this response: the one wish for it that is granted."""
    if name.lower() != _CONNECTION or not isinstance(value, bytes):
        return False
    return _CLOSE in (option.strip() for option in value.lower().split(b","))


def _checked_name(name: object) -> bytes:
    if not isinstance(name, bytes):
        raise ProtocolTypeError(f"a header's name must be bytes, not {_kind(name)}: {name!r}")
    if not _TOKEN.fullmatch(name):
        raise ProtocolValueError(f"{name!r} is not a header name")
    lower = name.lower()
    known = _known.get(lower, lower)
    if len(_known) < _KNOWN_LIMIT:
        _known[name] = known
    return known


def _length(value: object, earlier: int) -> int:
    if earlier >= 0:
        raise ProtocolValueError("content-length is given twice")
    if type(value) is not bytes or not (value.isdigit() and len(value) < 16):
        raise ProtocolValueError(f"content-length must be a number in bytes, not {value!r}")
    return int(value)


def _bad_headers(headers: object) -> str:
    if not hasattr(headers, "__iter__"):
        return f"'headers' must be a list of (name, value) pairs, not {_kind(headers)}"
    return f"'headers' must hold pairs (name, value) of bytes: {headers!r}"[:500]


def _kind(value: object) -> str:
    return type(value).__name__
