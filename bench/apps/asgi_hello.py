"""The smallest ASGI application: what is measured is the server. A WebSocket gets back what it says."""

HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")],
}
BODY = {"type": "http.response.body", "body": b"Hello, World!"}


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send(HEAD)
        await send(BODY)
    elif scope["type"] == "websocket":
        await echo(receive, send)
    else:
        raise RuntimeError("no lifespan here")


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})
