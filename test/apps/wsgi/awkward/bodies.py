"""Bodies that are not what the head promised, and close() (PEP 3333; edge cases W3 to W6, W12)."""

import os
import time

from .pages import PLAIN, Recorded, page, record, text

# W3: write() and an iterable.


@page
def write_then_iterate(environ, start_response):
    write = start_response("200 OK", list(PLAIN))
    write(b"one ")
    write(b"two ")
    return [b"three ", b"four\n"]


@page
def write_text(environ, start_response):
    start_response("200 OK", list(PLAIN))("not bytes")
    return [b"never seen\n"]


@page
def write_with_length(environ, start_response):
    write = start_response("200 OK", list(PLAIN) + [("Content-Length", "8")])
    write(b"one ")
    return [b"two\n"]


@page
def write_only(environ, start_response):
    write = start_response("200 OK", list(PLAIN))
    write(b"only written\n")
    return []


# W4: items that are not bytes.


@page
def text_item_first(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return Recorded(["text", b"bytes"])


@page
def text_item_midway(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return Recorded([b"bytes\n", "text", b"never seen\n"])


@page
def return_text(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return "text"


# W5: a body that is not as long as its Content-Length.


@page
def short_body(environ, start_response):
    start_response("200 OK", list(PLAIN) + [("Content-Length", "100")])
    return Recorded([b"too short\n"])


@page
def long_body(environ, start_response):
    start_response("200 OK", list(PLAIN) + [("Content-Length", "5")])
    return Recorded([b"12345", b"6789", b"HTTP/1.1 200 OK\r\n\r\n"])


@page
def bad_length(environ, start_response):
    start_response("200 OK", list(PLAIN) + [("Content-Length", "+5")])
    return [b"12345"]


@page
def two_lengths(environ, start_response):
    start_response("200 OK", list(PLAIN) + [("Content-Length", "5"), ("content-length", "6")])
    return [b"12345"]


# W6: close(), and exceptions wherever they can happen.


@page
def close_after_end(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return Recorded([b"a", b"b\n"])


@page
def close_raises(environ, start_response):
    class Stubborn(Recorded):
        def close(self):
            super().close()
            raise RuntimeError("close() itself failed")

    start_response("200 OK", list(PLAIN))
    return Stubborn([b"closed badly\n"])


@page
def raise_before_head(environ, start_response):
    raise RuntimeError("before the head")


@page
def raise_at_length(environ, start_response):
    """An exception quotes what a client has sent."""
    float("x" * 5_000_000)


@page
def raise_after_start_response(environ, start_response):
    start_response("200 OK", list(PLAIN))
    raise RuntimeError("after start_response")


@page
def raise_in_first_iteration(environ, start_response):
    def items():
        raise RuntimeError("in the first iteration")
        yield b""

    start_response("200 OK", list(PLAIN))
    return Recorded(items())


@page
def raise_midway(environ, start_response):
    def items():
        yield b"so far so good\n"
        raise RuntimeError("midway")

    start_response("200 OK", list(PLAIN))
    return Recorded(items())


@page
def raise_midway_with_length(environ, start_response):
    def items():
        yield b"12345"
        raise RuntimeError("midway")

    start_response("200 OK", list(PLAIN) + [("Content-Length", "10")])
    return Recorded(items())


@page
def stream_forever(environ, start_response):
    """Ends only when the client leaves; close() must be told then, and records the query."""

    def items():
        while True:
            yield b"x" * 65536

    start_response("200 OK", list(PLAIN))
    return Recorded(items(), environ["QUERY_STRING"] or "close")


@page
def drip_forever(environ, start_response):
    """As stream_forever, but slow: the client's leaving has to be noticed between two items."""

    def items():
        while True:
            yield b"drip\n"
            time.sleep(0.05)

    start_response("200 OK", list(PLAIN))
    return Recorded(items(), environ["QUERY_STRING"] or "close")


@page
def idle_forever(environ, start_response):
    """As stream_forever, but after the first item all are empty."""

    def items():
        yield b"begun\n"
        while True:
            yield b""

    start_response("200 OK", list(PLAIN))
    return Recorded(items(), environ["QUERY_STRING"] or "close")


# No body where there must be none.


@page
def body_on_204(environ, start_response):
    start_response("204 No Content", [("Content-Length", "5")])
    return Recorded([b"12345"])


@page
def body_on_304(environ, start_response):
    start_response("304 Not Modified", [])
    return Recorded([b"12345"])


# W12: slow answers, whose items have to leave one by one.


@page
def step_by_step(environ, start_response):
    """Yields the second item only once the file named by the query is there: a test sees the first one before."""

    def items():
        yield b"first\n"
        while not os.path.exists(environ["QUERY_STRING"]):
            time.sleep(0.01)
        yield b"second\n"

    start_response("200 OK", list(PLAIN))
    return Recorded(items())


@page
def burst_then_wait(environ, start_response):
    """Yields a few items at once, and the last one only when the file named by the query is there."""

    def items():
        for word in b"one", b"two", b"three":
            yield word + b"\n"
        while not os.path.exists(environ["QUERY_STRING"]):
            time.sleep(0.01)
        yield b"four\n"

    start_response("200 OK", list(PLAIN))
    return Recorded(items())


@page
def wait_for_file(environ, start_response):
    """Answers once the file named by the query is there."""
    record("waiting")
    while not os.path.exists(environ["QUERY_STRING"]):
        time.sleep(0.01)
    return text(start_response, b"waited\n")
