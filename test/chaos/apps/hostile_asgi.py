"""The same for ASGI: what blocks a thread there blocks the event loop here."""

from checksum import read_body
from hostile_wsgi import app as wsgi_app


class _Input:
    def __init__(self, body):
        self._body = body

    def read(self):
        return self._body


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body = await read_body(receive)
    if body is None:
        return
    environ = {
        "PATH_INFO": scope["path"],
        "QUERY_STRING": scope["query_string"].decode(),
        "wsgi.input": _Input(body),
    }
    pieces = wsgi_app(environ, lambda status, headers: None)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"".join(pieces)})
