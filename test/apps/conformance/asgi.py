"""The application that behaves as the conformance suite says, for ASGI."""

import asyncio
from urllib.parse import unquote_to_bytes

from behaviour import PIECE, Notes, data, describe, instruction, pairs

_PAUSE = 0.005


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    environ = environ_of(scope)
    told = instruction(environ)
    await WAYS[told["kind"]](Asked(environ, scope, receive, send), told, Notes(told["notes"]))


class Asked:
    """A request, and the usual ways to answer it."""

    def __init__(self, environ, scope, receive, send):
        self.environ = environ
        self.extensions = scope["extensions"]
        self._receive = receive
        self.send = send

    async def pieces(self):
        """The body as it comes. Raises OSError when the client leaves."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise OSError("the client left")
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def start(self, told, **more):
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs(told.get("headers", []))]
        await self.send(
            {
                "type": "http.response.start",
                "status": told.get("status", 200),
                "headers": headers,
                **more,
            }
        )

    async def give(self, piece, more=True):
        await self.send({"type": "http.response.body", "body": piece, "more_body": more})


async def answer(asked, told, notes):
    for _ in told.get("informs", []):
        await asked.send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]})
    await asked.start(told)
    await asked.give(data(told.get("body", "")), False)


async def stream(asked, told, notes):
    trailers = told.get("trailers") if "http.response.trailers" in asked.extensions else None
    await asked.start(told, trailers=bool(trailers))
    for number, piece in enumerate(told["pieces"], 1):
        await asked.give(data(piece))
        while told.get("gated") and not notes.is_there(f"piece-{number}"):
            await asyncio.sleep(_PAUSE)
    if told.get("ending") == "fail":
        raise RuntimeError("told to fail")
    await asked.give(b"", False)
    if trailers:
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs(trailers)]
        await asked.send({"type": "http.response.trailers", "headers": fields})


async def echo(asked, told, notes):
    await asked.start({"headers": ["Content-Type", "application/octet-stream"]})
    async for piece in asked.pieces():
        await asked.give(piece)
    await asked.give(b"", False)


async def describe_request(asked, told, notes):
    size = 0
    async for piece in asked.pieces():
        size += len(piece)
    await asked.start({"headers": ["Content-Type", "application/json"]})
    await asked.give(describe(asked.environ, size), False)


async def fail(asked, told, notes):
    raise RuntimeError("told to fail")


async def absorb(asked, told, notes):
    size = 0
    try:
        async for piece in asked.pieces():
            if size == 0:
                notes.add("received")
            size += len(piece)
    except OSError:
        notes.add("left")
        raise
    notes.add("complete")
    await asked.start({"headers": ["Content-Type", "text/plain"]})
    await asked.give(str(size).encode(), False)


async def endless(asked, told, notes):
    await asked.start({"headers": ["Content-Type", "text/plain"]})
    try:
        while True:
            await asked.give(PIECE)
            notes.add("pieces")
    except OSError:
        notes.add("left")
        raise


async def hang(asked, told, notes):
    notes.add("running")
    try:
        async for _ in asked.pieces():
            pass
        await asked.pieces().__anext__()
    except OSError:
        notes.add("left")


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


def environ_of(scope):
    """The scope in the words of CGI, which `behaviour` knows: native strings in which each character is one byte."""
    path, mount = bytes_of(scope["path"]), bytes_of(scope["root_path"])
    if "\ufffd" in scope["path"]:
        path = unquote_to_bytes(scope["raw_path"]).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    target = scope["raw_path"].decode("latin-1")
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": mount,
        "PATH_INFO": path[len(mount) :],
        "QUERY_STRING": query,
        "REQUEST_URI": f"{target}?{query}" if query else target,
        "REQUEST_SCHEME": scope["scheme"],
        "REMOTE_ADDR": scope["client"][0] if scope.get("client") else "",
    }
    for name, value in scope["headers"]:
        add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def bytes_of(text):
    return text.encode().decode("latin-1")


def add_header(environ, name, value):
    if name in ("content-length", "content-type"):
        environ[name.upper().replace("-", "_")] = value
    elif name != "proxy" and "_" not in name:
        key = "HTTP_" + name.upper().replace("-", "_")
        separator = "; " if name == "cookie" else ", "
        environ[key] = environ[key] + separator + value if key in environ else value
