"""An ASGI application that does what it is told: the test adds a `script` to the scope, a list of steps.

What it receives and what is raised into it goes to standard output, a line of JSON each.
"""

import asyncio
import json
import os
import sys
import time


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError("no lifespan")
    for verb, *arguments in scope["script"]:
        await STEPS[verb](scope, receive, send, *arguments)


def say(value):
    print(json.dumps(value, default=lambda data: data.decode("latin-1")), flush=True)


async def do_send(scope, receive, send, message):
    await send(message)


class _Bytes(bytes):
    """As those that remember where they come from."""


_BYTES_LIKE = {"bytearray": bytearray, "memoryview": memoryview, "of a class": _Bytes}


async def send_as(scope, receive, send, name, message):
    """Bodies, messages and values of headers as bytes-like objects; on their way here they can only be bytes."""
    kind = _BYTES_LIKE[name]
    for key in ("body", "bytes"):
        if message.get(key) is not None:
            message[key] = kind(message[key])
    if "headers" in message:
        message["headers"] = [(name, kind(value)) for name, value in message["headers"]]
    await send(message)


async def try_to_send(scope, receive, send, message):
    """Goes on when it fails."""
    try:
        await send(message)
    except Exception as error:
        say([type(error).__name__, str(error), isinstance(error, OSError)])
    else:
        say("sent")


async def send_two(scope, receive, send, first, second):
    """From two tasks at the same time."""
    await asyncio.gather(send(first), send(second))


async def send_in_a_group(scope, receive, send, message):
    """As a framework does whose tasks are in a group: what one raises comes out of it in an ExceptionGroup."""
    async with asyncio.TaskGroup() as group:
        group.create_task(send(message))


async def send_briefly(scope, receive, send, message):
    """Gives up on a client that is too slow."""
    try:
        await asyncio.wait_for(send(message), 0.02)
    except asyncio.TimeoutError:
        say("gave up")


async def do_receive(scope, receive, send, times=1):
    for _ in range(times):
        say(await receive())


async def receive_until(scope, receive, send, kind):
    count = 0
    while (message := await receive())["type"] != kind:
        count += len(message.get("body") or message.get("bytes") or message.get("text") or "")
    say([kind, count])


async def receive_briefly(scope, receive, send):
    """As Starlette's Request.is_disconnected does: cancelled when nothing is there."""
    try:
        say(await asyncio.wait_for(receive(), 0.01))
    except asyncio.TimeoutError:
        say("nothing")


async def peek(scope, receive, send, times=1):
    """As Starlette does in a scope that is cancelled: what is there at once, without waiting."""
    for _ in range(times):
        say(at_once(receive()))


async def receive_while_sending(scope, receive, send, *messages):
    """Another task waits for the end meanwhile."""
    waiting = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    for message in messages:
        await send(message)
    say(await waiting)


async def wait(scope, receive, send, seconds):
    await asyncio.sleep(seconds)


async def fail(scope, receive, send, text="told to fail"):
    raise ValueError(text)


async def leave(scope, receive, send):
    sys.exit(3)


class ClientLeft(Exception):
    """A framework's own."""


async def wrap_error(scope, receive, send, message):
    """Makes an error of its own of whatever send() raises, as frameworks do."""
    try:
        await send(message)
    except OSError:
        raise ClientLeft()  # noqa: B904


async def show_scope(scope, receive, send):
    say({**scope, "script": None})


async def spoil_scope(scope, receive, send):
    scope["state"]["spoilt"] = scope["extensions"]["spoilt"] = scope["asgi"]["spoilt"] = True


async def block(scope, receive, send, path):
    """Keeps the event loop waiting until the file is there."""
    while not os.path.exists(path):
        time.sleep(0.01)


async def work(scope, receive, send, seconds):
    """Keeps the event loop waiting for a while."""
    time.sleep(seconds)


async def block_in_task(scope, receive, send, path):
    await asyncio.sleep(0)
    await asyncio.gather(asyncio.ensure_future(block(scope, receive, send, path)))


async def look_at_task(scope, receive, send):
    task = asyncio.current_task()
    say([task is not None, task in asyncio.all_tasks() or sys.version_info >= (3, 12)])


def at_once(coroutine):
    """What it gives if it need not wait."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    return "nothing"


STEPS = {
    "send": do_send,
    "send as": send_as,
    "try": try_to_send,
    "send_two": send_two,
    "send in a group": send_in_a_group,
    "send_briefly": send_briefly,
    "receive": do_receive,
    "receive_until": receive_until,
    "receive_briefly": receive_briefly,
    "peek": peek,
    "receive_while_sending": receive_while_sending,
    "wait": wait,
    "fail": fail,
    "leave": leave,
    "wrap_error": wrap_error,
    "show_scope": show_scope,
    "spoil_scope": spoil_scope,
    "block": block,
    "block_in_task": block_in_task,
    "work": work,
    "look_at_task": look_at_task,
}
