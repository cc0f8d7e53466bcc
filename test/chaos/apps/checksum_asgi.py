"""Answers a body's checksum and length, and the id of the request, in two pieces."""

from checksum import answer, read_body


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body = await read_body(receive)
    if body is None:
        return
    text = answer(body, scope["query_string"].decode())
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text[:4], "more_body": True})
    await send({"type": "http.response.body", "body": text[4:]})
