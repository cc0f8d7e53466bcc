"""The application that behaves as the conformance suite says, for WSGI."""

from http import HTTPStatus

from behaviour import PIECE, Notes, announced, data, describe, instruction, pairs, read_all


def application(environ, start_response):
    told = instruction(environ)
    return WAYS[told["kind"]](environ, start_response, told, Notes(told["notes"]))


def answer(environ, start_response, told, notes):
    start_response(status_of(told), pairs(told.get("headers", [])))
    return [data(told.get("body", ""))]


def stream(environ, start_response, told, notes):
    start_response(status_of(told), pairs(told.get("headers", [])))
    for number, piece in enumerate(told["pieces"], 1):
        yield data(piece)
        if told.get("gated"):
            notes.see(f"piece-{number}")
    if told.get("ending") == "fail":
        raise RuntimeError("told to fail")


def echo(environ, start_response, told, notes):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    body = environ["wsgi.input"]
    while piece := body.read(65536):
        yield piece


def describe_request(environ, start_response, told, notes):
    size = read_all(environ["wsgi.input"], None)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [describe(environ, size)]


def fail(environ, start_response, told, notes):
    raise RuntimeError("told to fail")


def absorb(environ, start_response, told, notes):
    try:
        size = read_all(environ["wsgi.input"], announced(environ), notes)
    except OSError:
        notes.add("left")
        raise
    notes.add("complete")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(size).encode()]


class Endless:
    """Pieces until the server has enough of them, and says so."""

    def __init__(self, notes):
        self._notes = notes

    def __iter__(self):
        while True:
            yield PIECE
            self._notes.add("pieces")

    def close(self):
        self._notes.add("left")


def endless(environ, start_response, told, notes):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Endless(notes)


def hang(environ, start_response, told, notes):
    notes.add("running")
    notes.see("never")


WAYS = {
    "answer": answer,
    "stream": stream,
    "echo": echo,
    "describe": describe_request,
    "fail": fail,
    "absorb": absorb,
    "endless": endless,
    "hang": hang,
}


def status_of(told):
    status = told.get("status", 200)
    return f"{status} {told.get('reason') or phrase_of(status)}"


def phrase_of(status):
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unnamed"
