"""Answers a body's checksum and length, and the id of the request, in two pieces."""

import zlib


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = f"{zlib.crc32(body)} {len(body)} {scope['query_string'].decode()}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": answer[:4], "more_body": True})
    await send({"type": "http.response.body", "body": answer[4:]})
