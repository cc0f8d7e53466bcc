"""Well-behaved applications below wsgiref.validate, which checks the server's side of PEP 3333 (edge case W10)."""

import json
from wsgiref.validate import validator


def echo(environ, start_response):
    """The request body as it came."""
    body = b"".join(iter(lambda: environ["wsgi.input"].read(4096), b""))
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body)))])
    return [body]


def lines(environ, start_response):
    """The lines of the request body, one item each."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return list(environ["wsgi.input"])


def path(environ, start_response):
    """The native strings of the path, as JSON."""
    seen = {name: environ.get(name, "") for name in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD")}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode("ascii")]


def written(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"written, ")
    return [b"then iterated\n"]


def generated(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    for number in range(3):
        yield b"item %d\n" % number


def logged(environ, start_response):
    environ["wsgi.errors"].write("a line for the log\n")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"logged\n"]


def empty(environ, start_response):
    start_response("204 No Content", [])
    return []


PAGES = {"/" + page.__name__: page for page in (echo, lines, written, generated, logged, empty)}


def dispatch(environ, start_response):
    return PAGES.get(environ["PATH_INFO"], path)(environ, start_response)


application = validator(dispatch)
