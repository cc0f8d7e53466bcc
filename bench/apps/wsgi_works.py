"""WSGI applications, each for one kind of work. They do next to nothing, so that what is measured is the server."""

import time

TEXT = ("Content-Type", "text/plain")
TEN_KILOBYTES = b"x" * 10_240
PIECE = b"x" * 10_240


def ten_kilobytes(environ, start_response):
    start_response("200 OK", [TEXT, ("Content-Length", "10240")])
    return [TEN_KILOBYTES]


def ten_pieces(environ, start_response):
    """100 KB of known length, made as it is sent."""
    start_response("200 OK", [TEXT, ("Content-Length", "102400")])
    return (PIECE for _ in range(10))


def count_body(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = b"%d" % len(environ["wsgi.input"].read(length))
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]


def sleep(environ, start_response):
    """As one that waits for a database."""
    time.sleep(0.01)
    start_response("200 OK", [TEXT, ("Content-Length", "5")])
    return [b"slept"]
