"""Response heads as ASGI applications give them, made into the lines of the link (docs/link.md).

Tested by test/python/test_asgi_http.py.
"""

import re
from typing import Iterable, Iterator

from ..failures import ProtocolError, ProtocolTypeError, ProtocolValueError
from ..link import CLOSES, HAS_DATE, HAS_LENGTH, HEAD_LIMIT

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# What no value may contain; in the lines of a head only the line ends are control characters.
_CONTROL = bytes((*range(9), *range(10, 32), 127))
_STATUS = {status: b"%d\r\n" % status for status in range(200, 600)}

_CONNECTION, _CLOSE = b"connection", b"close"
# Fields of the connection, which the server sets (RFC 9110, 7.6.1). Frameworks set them in good faith: skipped.
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
# Names as applications write them, with the names to send; bounded.
_known = dict.fromkeys(_HOP_BY_HOP, _SKIPPED)
_known.update((name, name) for name in (b"content-type", _LENGTH, b"location", b"set-cookie", b"vary", b"etag"))
_KNOWN_LIMIT = 1000
# Whole heads that have passed the check, by status and fields, with their Content-Length; bounded.
_known_heads: "dict[tuple, tuple[bytes, int]]" = {}
_HEADS_LIMIT = 512
_HEAD_REMEMBERED = 2048


def response_head(status: int, headers: Iterable) -> "tuple[bytes, int]":
    """The bytes of a head, and the Content-Length (-1 where there is none). Raises ProtocolError."""
    if type(headers) is not list:
        headers = _listed(headers)  # it may be an iterator, which can be read once only
    try:
        known = _known_heads.get((status, *headers)) if isinstance(status, int) else None
    except TypeError:
        known = None  # lists in place of tuples, or values that will be refused
    return known or _check_head(status, headers)


def _check_head(status: int, headers: list) -> "tuple[bytes, int]":
    code = _STATUS.get(status) if type(status) is int else _status(status)
    if code is None:
        raise ProtocolValueError(f"'status' must be from 200 to 599, not {status!r}")
    known, length, lines = 0, -1, [code]
    for name, value in _named(headers):
        if name == _LENGTH:
            length = _length(value, length)
            known |= HAS_LENGTH
        elif name == b"date":
            known |= HAS_DATE
        elif name is _CONNECTION:
            known |= CLOSES
        lines += (name, b": ", value, b"\r\n")
    head = bytes([known]) + _check_lines(lines)
    if len(head) <= _HEAD_REMEMBERED:
        _remember((status, *map(tuple, headers)), head, length)
    return head, length


def _remember(key: tuple, head: bytes, length: int) -> None:
    if len(_known_heads) == _HEADS_LIMIT:
        _known_heads.clear()
    try:
        _known_heads[key] = head, length
    except TypeError:
        pass  # values that cannot be a key, such as bytearrays


def _named(headers: Iterable) -> "Iterator[tuple[bytes, bytes]]":
    """The fields that may pass, with their names in lower case."""
    try:
        for name, value in headers:
            known = _known.get(name)
            if known is None:
                known = _check_name(name)
            if known is not _SKIPPED:
                yield known, value
            elif _asks_to_close(name, value):
                yield _CONNECTION, _CLOSE
    except ProtocolError:
        raise
    except (TypeError, ValueError):
        raise ProtocolTypeError(_bad_headers(headers)) from None


def _listed(headers: object) -> list:
    try:
        return list(headers)
    except TypeError:
        raise ProtocolTypeError(_bad_headers(headers)) from None


def _check_lines(parts: "list[bytes]") -> bytes:
    """The lines of a head: that of the status is one part, every other line four."""
    return _whole(b"", parts, parts[3::4], (len(parts) + 3) // 2)


def fields(headers: Iterable) -> "list[bytes]":
    """Names and values in turn, of an acceptance or of trailers. Raises ProtocolError."""
    return [part for field in _named(headers) if field[0] is not _CONNECTION for part in field]


def hints(links: Iterable) -> bytes:
    """The head of a 103 with these values of Link."""
    lines = [b"103\r\n"]
    for link in links:
        lines += (b"link", b": ", link, b"\r\n")
    return b"\0" + _check_lines(lines)


def joined(lines: "list[bytes]") -> bytes:
    """The lines with LF between them. Raises ProtocolError if one has a control character of its own."""
    return _whole(b"\n", lines, lines, len(lines) - 1)


def _whole(separator: bytes, parts: "list[bytes]", values: "list[bytes]", controls: int) -> bytes:
    """The parts in one. It has more than `controls` control characters only if a value has some."""
    try:
        whole = separator.join(parts)
    except TypeError:
        wrong = next(part for part in parts if not isinstance(part, (bytes, bytearray, memoryview)))
        raise ProtocolTypeError(f"a header's value must be bytes, not {_kind(wrong)}: {wrong!r}") from None
    if len(whole) > HEAD_LIMIT:
        raise ProtocolValueError(f"the response's head has {len(whole)} bytes; {HEAD_LIMIT} are allowed")
    if len(whole) - len(whole.translate(None, _CONTROL)) != controls:
        wrong = next(value for value in values if len(bytes(value).translate(None, _CONTROL)) < len(value))
        raise ProtocolValueError(f"a header must not hold control characters: {wrong!r}")
    return whole


def _status(status: object) -> "bytes | None":
    """An int of another class, as http.HTTPStatus is; never a bool."""
    if isinstance(status, int) and status is not True and status is not False:
        return _STATUS.get(int(status))
    raise ProtocolTypeError(f"'status' must be an int, not {_kind(status)}")


def _asks_to_close(name: bytes, value: object) -> bool:
    """Whether the field asks to close the connection: the only such request that is granted."""
    if name.lower() != _CONNECTION or not isinstance(value, bytes):
        return False
    return _CLOSE in (option.strip() for option in value.lower().split(b","))


def _check_name(name: object) -> bytes:
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
    digits = bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else b""
    if not (digits.isdigit() and len(digits) < 16):
        raise ProtocolValueError(f"content-length must be a number in bytes, not {value!r}")
    return int(digits)


def _bad_headers(headers: object) -> str:
    if not hasattr(headers, "__iter__"):
        return f"'headers' must be a list of (name, value) pairs, not {_kind(headers)}"
    return f"'headers' must hold pairs (name, value) of bytes: {headers!r}"[:500]


def _kind(value: object) -> str:
    return type(value).__name__
