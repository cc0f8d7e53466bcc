"""Response heads as WSGI applications give them, checked and made into the lines of the link (docs/link.md).

Tested by test/protocols/wsgi/contract.test.ts.
"""

import re

from ..failures import ProtocolTypeError, ProtocolValueError
from ..link import HAS_DATE, HAS_LENGTH, HEAD_LIMIT

# "200 OK"; the phrase means nothing (RFC 9112, 4), and many applications leave it out.
_STATUS = re.compile(r"[2-5][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*)?")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# What no value may contain; in the lines of a head only the line ends are control characters.
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
# Names that have passed the check, as applications write them, with their flags for the head; bounded.
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


def response_head(status: str, headers: list) -> "tuple[bytes, int]":
    """The bytes of a head, and the Content-Length (-1 if there is none). Raises ProtocolError."""
    if type(headers) is not list:
        raise ProtocolTypeError(f"the headers must be a list of tuples, not a {type(headers).__name__}")
    try:
        known = _known_heads.get((status, *headers))
    except TypeError:
        known = None  # a value that cannot be a key, and will be refused
    return known or _check_head(status, headers)


def _check_head(status: str, headers: list) -> "tuple[bytes, int]":
    text = _known_statuses.get(status) if type(status) is str else None
    if text is None:
        text = _status_line(status)
    flags, length = 0, -1
    # What only equals a text may be another one for a reader: an enum, say. Its head is not remembered.
    exact = type(status) is str
    for pair in headers:
        if type(pair) is not tuple or len(pair) != 2:
            raise ProtocolTypeError(f"each header must be a tuple (name, value), not {pair!r}")
        name, value = pair
        if type(name) is not str or type(value) is not str:
            name, value, exact = _text(name, "name"), _text(value, "value"), False
        role = _known_names.get(name)
        if role is None:
            role = _check_name(name)
        if role:
            flags |= role
            if role == HAS_LENGTH:
                length = _length(value, length)
        text = f"{text}{name}: {value}\r\n"
    head = _head_bytes(flags, text, headers)
    if exact and len(head) <= _HEAD_REMEMBERED:
        if len(_known_heads) >= _HEADS_LIMIT:  # two threads may have added one each
            _known_heads.clear()
        _known_heads[(status, *headers)] = head, length
    return head, length


def _text(value: object, what: str) -> str:
    """The characters of a `str` or of an instance of a subclass, whatever that shows itself as."""
    if not isinstance(value, str):
        raise ProtocolTypeError(f"a header's {what} must be a str, not a {type(value).__name__}")
    return str.__str__(value)


def _status_line(status: object) -> str:
    if not isinstance(status, str):
        raise ProtocolTypeError(f"the status must be a str, not a {type(status).__name__}")
    status = str.__str__(status)
    if not _STATUS.fullmatch(status):
        raise ProtocolValueError(f"the status must look like '200 OK', from 200 to 599, not {status!r}")
    line = status if len(status) > 4 else status[:3]
    if len(_known_statuses) < _KNOWN_LIMIT:
        _known_statuses[status] = line + "\r\n"
    return line + "\r\n"


def _check_name(name: str) -> int:
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
