"""Checksums, and a response of 1 MiB, more than sockets hold, below /large."""

from checksum_asgi import app as checksum_asgi
from checksum_wsgi import app as checksum_wsgi

_PIECE = b"x" * 65_536


def app(environ, start_response):
    if environ["PATH_INFO"] != "/large":
        return checksum_wsgi(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (_PIECE for _ in range(16))


async def asgi_app(scope, receive, send):
    if scope.get("path") != "/large":
        return await checksum_asgi(scope, receive, send)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for _ in range(16):
        await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
