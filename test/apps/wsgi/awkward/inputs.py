"""wsgi.input, read in every way (PEP 3333; edge case W9)."""

import hashlib
import io

from .pages import PAGES, PLAIN, as_json, page, text


def summary(data):
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def reading(function):
    """Serves what the function makes of wsgi.input as JSON: `read_all` answers /read-all."""

    def answer(environ, start_response):
        return as_json(start_response, function(environ["wsgi.input"], environ))

    PAGES["/" + function.__name__.replace("_", "-")] = answer
    return function


@page
def never_read(environ, start_response):
    return text(start_response, b"did not read\n")


@page
def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", environ.get("CONTENT_TYPE") or "application/octet-stream")])
    return [body]


@page
def echo_in_pieces(environ, start_response):
    """Sends while it reads: neither side may wait for the other to finish."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return iter(lambda: environ["wsgi.input"].read(65536), b"")


@page
def read_after_head(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b"head first, "
    yield str(len(environ["wsgi.input"].read())).encode("ascii") + b" bytes\n"


@reading
def read_all(body, environ):
    return summary(body.read())


@reading
def read_minus_one(body, environ):
    return summary(body.read(-1))


@reading
def read_none(body, environ):
    return summary(body.read(None))


@reading
def read_zero(body, environ):
    return {"zero": body.read(0).decode("latin-1"), **summary(body.read())}


@reading
def read_past_end(body, environ):
    data = body.read(1 << 30)
    return {
        "after": [body.read(10).decode(), body.readline().decode(), body.read().decode()],
        **summary(data),
    }


@reading
def read_single_bytes(body, environ):
    return summary(b"".join(iter(lambda: body.read(1), b"")))


@reading
def read_pieces(body, environ):
    return summary(b"".join(iter(lambda: body.read(8191), b"")))


@reading
def read_lines(body, environ):
    return [line.decode("latin-1") for line in iter(body.readline, b"")]


@reading
def read_lines_of_five(body, environ):
    return [line.decode("latin-1") for line in iter(lambda: body.readline(5), b"")]


@reading
def read_line_minus_one(body, environ):
    return [body.readline(-1).decode("latin-1"), body.readline(0).decode("latin-1")]


@reading
def read_line_list(body, environ):
    return [line.decode("latin-1") for line in body.readlines()]


@reading
def read_line_list_hint(body, environ):
    """The hint may be ignored, but no byte may be lost or doubled."""
    return summary(b"".join(body.readlines(10) + body.readlines()))


@reading
def read_iterated(body, environ):
    return [line.decode("latin-1") for line in body]


@reading
def read_mixed(body, environ):
    return [piece.decode("latin-1") for piece in (body.read(3), body.readline(), body.read(2), next(body), body.read())]


@reading
def read_wrapped(body, environ):
    """What frameworks do: a buffered text layer on top."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return io.TextIOWrapper(io.BytesIO(body.read(length)), encoding="utf-8").read()
