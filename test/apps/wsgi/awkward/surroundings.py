"""What the application is handed, and what it does to its surroundings."""

import os
import sys

from .pages import PLAIN, Recorded, as_json, page, text


@page
def hello(environ, start_response):
    return text(start_response, b"hello\n")


@page
def environ(environ, start_response):
    """The environ as JSON; what JSON cannot say, as its type's name."""
    plain = (str, int, bool, type(None))
    shown = {key: value if isinstance(value, plain) else type(value).__name__ for key, value in environ.items()}
    shown["wsgi.version"] = list(environ["wsgi.version"])
    return as_json(start_response, shown)


@page
def process(environ, start_response):
    return as_json(start_response, {"pid": os.getpid()})


@page
def print_to_stdout(environ, start_response):
    print("HTTP/1.1 200 printed to stdout", flush=True)
    os.write(1, b"\x00\x00\x00\x05raw bytes on fd 1\n")
    return text(start_response, b"printed\n")


@page
def close_stdout(environ, start_response):
    os.close(1)
    os.close(0)
    return text(start_response, b"closed stdout\n")


@page
def log_error(environ, start_response):
    environ["wsgi.errors"].write("first line\nsecond \u3042 line\x1b[31m\n")
    environ["wsgi.errors"].writelines(["third ", "line\n"])
    environ["wsgi.errors"].flush()
    print("on stderr", file=sys.stderr, flush=True)
    return text(start_response, b"logged\n")


@page
def change_environ(environ, start_response):
    """The environ is the application's to change, and nobody else's afterwards."""
    environ["HTTP_X_LEFT_BEHIND"] = "yes"
    environ["wsgi.url_scheme"] = "gopher"
    return text(start_response, b"changed\n")


@page
def change_folder(environ, start_response):
    os.chdir("/")
    return text(start_response, b"moved\n")


@page
def huge_item(environ, start_response):
    """64 MiB in a single item."""
    start_response("200 OK", list(PLAIN) + [("Content-Length", str(64 << 20))])
    return [b"h" * (64 << 20)]


@page
def huge_output(environ, start_response):
    """As many bytes as the query says, 64 KiB at a time."""
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", list(PLAIN) + [("Content-Length", str(size))])
    return Recorded(b"h" * min(65536, size - at) for at in range(0, size, 65536))


@page
def many_items(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return Recorded(b"." for _ in range(100_000))


@page
def many_headers(environ, start_response):
    start_response("200 OK", list(PLAIN) + [(f"X-Number-{n}", "v" * 100) for n in range(1000)])
    return [b"many headers\n"]
