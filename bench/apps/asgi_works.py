"""ASGI applications, each for one kind of work: the counterparts of wsgi_works."""

import asyncio


async def answer(send, body):
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def only_http(scope):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan here")


async def count_body(scope, receive, send):
    only_http(scope)
    size = 0
    more = True
    while more:
        event = await receive()
        size += len(event["body"])
        more = event.get("more_body", False)
    await answer(send, b"%d" % size)


async def sleep(scope, receive, send):
    """As one that waits for a database."""
    only_http(scope)
    await asyncio.sleep(0.01)
    await answer(send, b"slept")
