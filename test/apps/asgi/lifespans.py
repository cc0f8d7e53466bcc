"""ASGI applications, one for each way to live through startup and shutdown. All answer a request with their state."""

import asyncio
import sys
import time


def lived(life):
    """An application with this lifespan."""

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            return await life(scope, receive, send)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": repr(scope["state"]).encode()})

    return application


def say(word):
    print(f'"{word}"', flush=True)


async def begin(receive, send):
    assert await receive() == {"type": "lifespan.startup"}
    say("startup")
    await send({"type": "lifespan.startup.complete"})


async def end(receive):
    assert await receive() == {"type": "lifespan.shutdown"}
    say("shutdown")


@lived
async def whole(scope, receive, send):
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}
    scope["state"]["answer"] = 42
    await begin(receive, send)
    await end(receive)
    await send({"type": "lifespan.shutdown.complete"})


@lived
async def blocks_at_both_ends(scope, receive, send):
    await receive()
    time.sleep(1)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    time.sleep(1)
    await send({"type": "lifespan.shutdown.complete"})


@lived
async def start_slowly(scope, receive, send):
    await receive()
    say("starting")
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        say("cancelled")
        raise


@lived
async def fail_to_start(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "Traceback:\n  a line\nOSError: no database"})


@lived
async def fail_to_start_in_silence(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed"})


@lived
async def raise_at_once(scope, receive, send):
    raise KeyError("lifespan")


@lived
async def raise_in_startup(scope, receive, send):
    await receive()
    raise OSError("no database")


@lived
async def exit_in_startup(scope, receive, send):
    await receive()
    sys.exit(3)


@lived
async def return_at_once(scope, receive, send):
    pass


@lived
async def end_early(scope, receive, send):
    await begin(receive, send)
    raise ValueError("ended early")


@lived
async def fail_to_shut_down(scope, receive, send):
    await begin(receive, send)
    await end(receive)
    await send({"type": "lifespan.shutdown.failed", "message": "could not let go"})


@lived
async def raise_in_shutdown(scope, receive, send):
    await begin(receive, send)
    await end(receive)
    raise ValueError("raised in shutdown")


@lived
async def send_out_of_order(scope, receive, send):
    await receive()
    for message in ({"type": "lifespan.shutdown.complete"}, {}, None):
        try:
            await send(message)
        except RuntimeError as error:
            say(error)
    await send({"type": "lifespan.startup.complete"})
    try:
        await send({"type": "lifespan.startup.complete"})
    except RuntimeError as error:
        say(error)


async def exit_in_task(scope, receive, send):
    """A task of its own ends the process, with a lifespan around it."""
    if scope["type"] == "lifespan":
        await begin(receive, send)
        await end(receive)
        return await send({"type": "lifespan.shutdown.complete"})

    async def leave():
        sys.exit(3)

    asyncio.ensure_future(leave())
    await asyncio.sleep(3600)


async def ignore_everything(scope, receive, send):
    """Neither a disconnect nor being cancelled ends it at once."""
    if scope["type"] == "lifespan":
        await begin(receive, send)
        await end(receive)
        return await send({"type": "lifespan.shutdown.complete"})
    say("here")
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        say("cancelled")
        await asyncio.sleep(3600)
