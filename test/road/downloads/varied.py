"""A long response of as many bytes as the query asks for: each piece of 64 KiB has bytes of its own."""

PIECE = 65536


def pieces(query):
    return (bytes([number % 256]) * PIECE for number in range(int(query) // PIECE))


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return pieces(environ["QUERY_STRING"])


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan here")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for piece in pieces(scope["query_string"]):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
