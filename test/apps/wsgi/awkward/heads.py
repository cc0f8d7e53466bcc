"""start_response called never, late, twice, and with what must not leave (PEP 3333; edge cases W1, W2, W7, W8)."""

import sys

from .pages import PAGES, PLAIN, Recorded, page, record

# W1: start_response never called, or called late.


@page
def never_start(environ, start_response):
    return Recorded([b"no head\n"])


@page
def never_start_empty(environ, start_response):
    return Recorded([])


@page
def start_in_first_iteration(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b"late head\n"


@page
def empty_items_before_body(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b""
    yield b""
    yield b"body after empty items\n"


@page
def return_none(environ, start_response):
    start_response("200 OK", list(PLAIN))


@page
def return_number(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return 42


# W2: start_response more than once.


@page
def start_twice(environ, start_response):
    start_response("200 OK", list(PLAIN))
    start_response("200 OK", list(PLAIN))
    return [b"never seen\n"]


@page
def start_twice_with_exc_info(environ, start_response):
    start_response("200 OK", list(PLAIN) + [("X-First", "yes")])
    try:
        raise ValueError("replaced in time")
    except ValueError:
        start_response("503 Service Unavailable", list(PLAIN), sys.exc_info())
    return [b"replaced\n"]


@page
def start_again_after_output(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b"already out\n"
    try:
        raise ValueError("too late to replace")
    except ValueError:
        start_response("500 Internal Server Error", list(PLAIN), sys.exc_info())
    yield b"never seen\n"


# W7: heads that must not leave.


def with_head(name, status, headers):
    def answer(environ, start_response):
        try:
            start_response(status, headers)
        except Exception as error:
            record("refused " + type(error).__name__)
            raise
        return [b"never seen\n"]

    PAGES["/" + name] = answer


with_head("status-without-space", "200OK", list(PLAIN))
with_head("status-not-a-number", "OK 200", list(PLAIN))
with_head("status-out-of-range", "99 Low", list(PLAIN))
with_head("status-too-high", "600 Higher", list(PLAIN))
with_head("status-informational", "101 Switching Protocols", list(PLAIN))
with_head("status-with-newline", "200 OK\r\nX-Injected: yes", list(PLAIN))
with_head("status-bytes", b"200 OK", list(PLAIN))
with_head("status-integer", 200, list(PLAIN))
with_head("value-with-crlf", "200 OK", [("X-Bad", "a\r\nX-Injected: yes")])
with_head("value-with-lf", "200 OK", [("X-Bad", "a\nX-Injected: yes")])
with_head("value-with-cr", "200 OK", [("X-Bad", "a\rX-Injected: yes")])
with_head("value-with-nul", "200 OK", [("X-Bad", "a\0b")])
with_head("value-not-latin-1", "200 OK", [("X-Bad", "\u3042")])
with_head("value-bytes", "200 OK", [("X-Bad", b"bytes")])
with_head("value-number", "200 OK", [("X-Bad", 5)])
with_head("name-with-crlf", "200 OK", [("X-Bad\r\nX-Injected", "yes")])
with_head("name-with-colon", "200 OK", [("X-Bad: yes", "yes")])
with_head("name-with-space", "200 OK", [("X Bad", "yes")])
with_head("name-empty", "200 OK", [("", "yes")])
with_head("name-not-ascii", "200 OK", [("X-\u00e9", "yes")])
with_head("headers-tuple", "200 OK", tuple(PLAIN))
with_head("headers-none", "200 OK", None)
with_head("header-triple", "200 OK", [("X-Bad", "a", "b")])
with_head("header-string", "200 OK", ["X-Bad: a"])
# W8: headers of the connection, which are the server's.
with_head("hop-connection", "200 OK", [("Connection", "close")])
with_head("hop-transfer-encoding", "200 OK", [("transfer-encoding", "chunked")])
with_head("hop-keep-alive", "200 OK", [("Keep-Alive", "timeout=5")])
with_head("hop-upgrade", "200 OK", [("Upgrade", "websocket")])
with_head("hop-trailer", "200 OK", [("Trailer", "X-Sum")])


@page
def status_without_reason(environ, start_response):
    start_response("200 ", list(PLAIN))
    return [b"no reason given\n"]


@page
def status_alone(environ, start_response):
    start_response("203", list(PLAIN))
    return [b"a number\n"]


@page
def value_latin_1(environ, start_response):
    start_response("200 OK", list(PLAIN) + [("X-Name", "caf\u00e9")])
    return [b"latin\n"]


@page
def same_header_twice(environ, start_response):
    start_response("200 OK", list(PLAIN) + [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"two cookies\n"]


@page
def headers_changed_later(environ, start_response):
    """PEP 3333: the server must not be fooled by a list that changes after the head has left."""
    headers = list(PLAIN)
    start_response("200 OK", headers)
    yield b"first\n"
    headers.append(("X-Late", "yes"))
    yield b"second\n"


@page
def head_without_end(environ, start_response):
    start_response("200 OK", [("X-Long", "x" * 5_000_000)])
    return [b"never seen\n"]


@page
def rules_caught(environ, start_response):
    """As applications catch what mod_wsgi, gunicorn and waitress raise."""
    caught = []
    for status, headers in (
        (200, []),
        ("OK", []),
        ("200 OK", ()),
        ("200 OK", [("X-Bad", "a\nb")]),
        ("200 OK", [("X Bad", "a")]),
        ("200 OK", [("X-Bad", 1)]),
    ):
        try:
            start_response(status, headers)
        except (TypeError, ValueError) as error:
            caught.append("TypeError" if isinstance(error, TypeError) else "ValueError")
    start_response("200 OK", list(PLAIN))
    return [" ".join(caught).encode() + b"\n"]
