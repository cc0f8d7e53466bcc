"""The reference application of the conformance suite for WSGI."""

from http import HTTPStatus

from behaviour import PIECE, SideChannel, announced, data, describe, pairs, read_all, read_script


def application(environ, start_response):
    script = read_script(environ)
    return HANDLERS[script["kind"]](environ, start_response, script, SideChannel(script["notes"]))


def answer(environ, start_response, script, channel):
    start_response(status_of(script), pairs(script.get("headers", [])))
    return [data(script.get("body", ""))]


def stream(environ, start_response, script, channel):
    start_response(status_of(script), pairs(script.get("headers", [])))
    for number, piece in enumerate(script["pieces"], 1):
        yield data(piece)
        if script.get("gated"):
            channel.see(f"piece-{number}")
    if script.get("ending") == "fail":
        raise RuntimeError("told to fail")


def echo(environ, start_response, script, channel):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    body = environ["wsgi.input"]
    while piece := body.read(65536):
        yield piece


def describe_request(environ, start_response, script, channel):
    size = read_all(environ["wsgi.input"], None)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [describe(environ, size)]


def fail(environ, start_response, script, channel):
    raise RuntimeError("told to fail")


def absorb(environ, start_response, script, channel):
    try:
        size = read_all(environ["wsgi.input"], announced(environ), channel)
    except OSError:
        channel.add("left")
        raise
    channel.add("complete")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(size).encode()]


class Endless:
    """Pieces until the server has enough of them, and says so."""

    def __init__(self, channel):
        self._channel = channel

    def __iter__(self):
        while True:
            yield PIECE
            self._channel.add("pieces")

    def close(self):
        self._channel.add("left")


def endless(environ, start_response, script, channel):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Endless(channel)


def hang(environ, start_response, script, channel):
    channel.add("running")
    channel.see("never")


HANDLERS = {
    "answer": answer,
    "stream": stream,
    "echo": echo,
    "describe": describe_request,
    "fail": fail,
    "absorb": absorb,
    "endless": endless,
    "hang": hang,
}


def status_of(script):
    status = script.get("status", 200)
    return f"{status} {script.get('reason') or phrase_of(status)}"


def phrase_of(status):
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unnamed"
