"""The reference application of the conformance suite for ASGI."""

import asyncio
from urllib.parse import unquote_to_bytes

from behaviour import PIECE, SideChannel, data, describe, pairs, read_script

_PAUSE = 0.005


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    environ = environ_of(scope)
    script = read_script(environ)
    await HANDLERS[script["kind"]](Asked(environ, scope, receive, send), script, SideChannel(script["notes"]))


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

    async def start(self, script, **more):
        headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs(script.get("headers", []))
        ]
        await self.send(
            {
                "type": "http.response.start",
                "status": script.get("status", 200),
                "headers": headers,
                **more,
            }
        )

    async def give(self, piece, more=True):
        await self.send({"type": "http.response.body", "body": piece, "more_body": more})


async def answer(asked, script, channel):
    for _ in script.get("informs", []):
        await asked.send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]})
    await asked.start(script)
    await asked.give(data(script.get("body", "")), False)


async def stream(asked, script, channel):
    trailers = script.get("trailers") if "http.response.trailers" in asked.extensions else None
    await asked.start(script, trailers=bool(trailers))
    for number, piece in enumerate(script["pieces"], 1):
        await asked.give(data(piece))
        while script.get("gated") and not channel.is_there(f"piece-{number}"):
            await asyncio.sleep(_PAUSE)
    if script.get("ending") == "fail":
        raise RuntimeError("told to fail")
    await asked.give(b"", False)
    if trailers:
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs(trailers)]
        await asked.send({"type": "http.response.trailers", "headers": fields})


async def echo(asked, script, channel):
    await asked.start({"headers": ["Content-Type", "application/octet-stream"]})
    async for piece in asked.pieces():
        await asked.give(piece)
    await asked.give(b"", False)


async def describe_request(asked, script, channel):
    size = 0
    async for piece in asked.pieces():
        size += len(piece)
    await asked.start({"headers": ["Content-Type", "application/json"]})
    await asked.give(describe(asked.environ, size), False)


async def fail(asked, script, channel):
    raise RuntimeError("told to fail")


async def absorb(asked, script, channel):
    size = 0
    try:
        async for piece in asked.pieces():
            if size == 0:
                channel.add("received")
            size += len(piece)
    except OSError:
        channel.add("left")
        raise
    channel.add("complete")
    await asked.start({"headers": ["Content-Type", "text/plain"]})
    await asked.give(str(size).encode(), False)


async def endless(asked, script, channel):
    await asked.start({"headers": ["Content-Type", "text/plain"]})
    try:
        while True:
            await asked.give(PIECE)
            channel.add("pieces")
    except OSError:
        channel.add("left")
        raise


async def hang(asked, script, channel):
    channel.add("running")
    try:
        async for _ in asked.pieces():
            pass
        await asked.pieces().__anext__()
    except OSError:
        channel.add("left")


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
