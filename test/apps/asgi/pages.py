"""An ASGI application with a page for every way to behave. What happens is written, a word a line, to the file that the
environment variable PAGES_LOG names.
"""

import asyncio
import json
import os
import sys
import time
from urllib.parse import parse_qs

PLAIN = [(b"content-type", b"text/plain")]
PIECE = b"0123456789abcdef" * 2048


def record(*words):
    with open(os.environ["PAGES_LOG"], "a", encoding="utf-8") as file:
        file.write(" ".join(str(word) for word in words) + "\n")


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    path = scope["path"][len(scope["root_path"]) :]
    page = PAGES.get((scope["type"], path)) or PAGES[scope["type"], None]
    await page(scope, receive, send)


async def lifespan(scope, receive, send):
    scope["state"]["born"] = os.getpid()
    await receive()
    record("startup")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    record("shutdown")
    await send({"type": "lifespan.shutdown.complete"})


async def start(send, status=200, headers=PLAIN, **more):
    await send({"type": "http.response.start", "status": status, "headers": headers, **more})


async def body(send, data, more=True):
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def respond(send, data, headers=PLAIN, status=200):
    await start(send, status, headers)
    await body(send, data, False)


def query(scope):
    return {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}


async def file_is_there(path):
    while not os.path.exists(path):
        await asyncio.sleep(0.01)


# HTTP.


async def hello(scope, receive, send):
    await respond(send, b"hello\n")


async def say_goodbye(scope, receive, send):
    await respond(send, b"goodbye\n", [*PLAIN, (b"Connection", b"close")])


async def show_pid(scope, receive, send):
    await respond(send, str(os.getpid()).encode())


async def show_scope(scope, receive, send):
    def plain(value):
        return value.decode("latin-1") if isinstance(value, bytes) else str(value)

    await respond(send, json.dumps(scope, default=plain).encode())


async def echo(scope, receive, send):
    await start(send)
    while True:
        message = await receive()
        await body(send, message["body"], message["more_body"])
        if not message["more_body"]:
            return


async def never_receive(scope, receive, send):
    record("running")
    await file_is_there(query(scope)["file"])
    await respond(send, b"done\n")


async def endless(scope, receive, send):
    await start(send)
    sent = 0
    try:
        while True:
            await body(send, PIECE)
            sent += len(PIECE)
            record("sent", sent)
    except OSError as error:
        record("left", type(error).__name__)
        raise


async def wait_for_end(scope, receive, send):
    record("waiting")
    while (message := await receive())["type"] != "http.disconnect":
        pass
    record(message["type"])


async def fail_when_left(scope, receive, send):
    record("failing")
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ValueError("left alone")


async def wait_after_response(scope, receive, send):
    await respond(send, b"done\n")
    await receive()
    record((await receive())["type"])


async def background(scope, receive, send):
    await respond(send, b"done\n")
    await file_is_there(query(scope)["file"])
    record("background")


async def events(scope, receive, send):
    await start(send, headers=[(b"content-type", b"text/event-stream")])
    await body(send, b"data: hello\n\n")
    while (await receive())["type"] != "http.disconnect":
        pass
    record("told")
    await body(send, b"data: bye\n\n", False)


async def slow_events(scope, receive, send):
    """Ignores that anybody leaves."""
    await start(send, headers=[(b"content-type", b"text/event-stream")])
    try:
        while True:
            await body(send, b"data: tick\n\n")
            await asyncio.sleep(0.02)
    except OSError:
        record("cut")


async def block(scope, receive, send):
    record("blocking")
    time.sleep(float(query(scope)["seconds"]))
    await respond(send, b"unblocked\n")


async def die(scope, receive, send):
    os._exit(7)


async def die_midway(scope, receive, send):
    await start(send)
    await body(send, b"about to die\n")
    await file_is_there(query(scope)["file"])
    os._exit(7)


async def exit_in_task(scope, receive, send):
    async def leave():
        sys.exit(3)

    asyncio.ensure_future(leave())
    await receive()
    await receive()


async def fail_at_length(scope, receive, send):
    """An exception quotes what a client has sent."""
    float("x" * 5_000_000)


async def head_without_end(scope, receive, send):
    await start(send, headers=[(b"x-long", b"x" * 5_000_000)])


async def hint_without_end(scope, receive, send):
    await send({"type": "http.response.early_hint", "links": [b"x" * 5_000_000]})


async def send_file(scope, receive, send):
    await start(send)
    asked = query(scope)
    path = os.fsdecode(bytes.fromhex(asked["hex"])) if "hex" in asked else asked["path"]
    await send({"type": "http.response.pathsend", "path": path})


async def send_file_and_delete(scope, receive, send):
    """As a framework does with a temporary file and a task that runs after the response."""
    path = query(scope)["path"]
    await start(send)
    try:
        await send({"type": "http.response.pathsend", "path": path})
    except OSError as error:
        record("refused", error)
        raise
    os.unlink(path)


async def trailers(scope, receive, send):
    has = "http.response.trailers" in scope["extensions"]
    await start(send, headers=[*PLAIN, (b"trailer", b"x-sum")], trailers=has)
    await body(send, b"sum", False)
    if has:
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"4")]})


async def hint(scope, receive, send):
    await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]})
    await respond(send, b"hinted\n")


async def fail(scope, receive, send):
    raise ValueError("told to fail")


async def fail_oddly(scope, receive, send):
    """Not by an Exception."""
    raise GeneratorExit("told to fail oddly")


async def fail_midway(scope, receive, send):
    await start(send)
    await body(send, b"half")
    raise ValueError("told to fail midway")


async def no_response(scope, receive, send):
    pass


async def start_only(scope, receive, send):
    await start(send)


async def body_first(scope, receive, send):
    await body(send, b"too early", False)


async def start_twice(scope, receive, send):
    await start(send)
    await start(send)


async def body_after_end(scope, receive, send):
    await respond(send, b"whole\n")
    await body(send, b"too late", False)


async def text_body(scope, receive, send):
    await start(send)
    await body(send, "text", False)


async def text_names(scope, receive, send):
    await start(send, headers=[("content-type", "text/plain")])


async def unknown_type(scope, receive, send):
    await send({"type": "http.response.nonsense"})


async def no_type(scope, receive, send):
    await send({})


# WebSockets.


async def accept(receive, send, **choice):
    await receive()
    await send({"type": "websocket.accept", **choice})


async def say(send, text):
    await send({"type": "websocket.send", "text": text})


async def ws_echo(scope, receive, send):
    offered = scope["subprotocols"]
    await accept(receive, send, subprotocol=offered[0] if offered else None, headers=[(b"x-room", b"7")])
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    record("closed", message["code"], message["reason"])


async def ws_close(scope, receive, send):
    await accept(receive, send)
    await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
    message = await receive()
    record("closed", message["code"], message["reason"])
    await say(send, "too late")


async def ws_reject(scope, receive, send):
    await receive()
    await send({"type": "websocket.close"})


async def ws_deny(scope, receive, send):
    await receive()
    await send({"type": "websocket.http.response.start", "status": 418, "headers": PLAIN})
    await send({"type": "websocket.http.response.body", "body": b"short and stout\n"})


async def ws_early(scope, receive, send):
    await receive()
    await say(send, "not yet")


async def ws_not_offered(scope, receive, send):
    await accept(receive, send, subprotocol="nobody's")


async def ws_never(scope, receive, send):
    await receive()
    record("connecting")
    message = await receive()
    record("closed", message["code"], message["reason"])


async def ws_late(scope, receive, send):
    await receive()
    record("connecting")
    await file_is_there(query(scope)["file"])
    await send({"type": "websocket.accept"})
    message = await receive()
    record("closed", message["code"])


async def ws_return(scope, receive, send):
    await accept(receive, send)


async def ws_fail(scope, receive, send):
    await accept(receive, send)
    raise ValueError("told to fail in a WebSocket")


async def ws_die(scope, receive, send):
    await accept(receive, send)
    await receive()
    os._exit(7)


async def ws_idle(scope, receive, send):
    """Takes no message until it is let go."""
    await accept(receive, send)
    await file_is_there(query(scope)["file"])
    size = 0
    while (message := await receive())["type"] == "websocket.receive":
        size += len(message.get("bytes") or message["text"])
        if message.get("text") == "end":
            await say(send, str(size))


async def ws_tick(scope, receive, send):
    """Sends and never receives, as long as it may; then takes what there is."""
    await accept(receive, send)
    record("ticking")
    try:
        while True:
            await say(send, "tick")
            await asyncio.sleep(0.01)
    except OSError as error:
        record("left", type(error).__name__)
    count = 0
    while (message := await receive())["type"] == "websocket.receive":
        count += 1
    record("received", count, "closed", message["code"])


async def ws_flood(scope, receive, send):
    await accept(receive, send)
    sent = 0
    try:
        while True:
            await send({"type": "websocket.send", "bytes": PIECE})
            sent += len(PIECE)
            record("sent", sent)
    except OSError as error:
        record("left", type(error).__name__)
        raise


PAGES = {
    ("http", "/hello"): hello,
    ("http", "/goodbye"): say_goodbye,
    ("http", "/pid"): show_pid,
    ("http", None): show_scope,
    ("http", "/echo"): echo,
    ("http", "/never-receive"): never_receive,
    ("http", "/endless"): endless,
    ("http", "/wait-for-end"): wait_for_end,
    ("http", "/wait-after-response"): wait_after_response,
    ("http", "/background"): background,
    ("http", "/events"): events,
    ("http", "/slow-events"): slow_events,
    ("http", "/block"): block,
    ("http", "/die"): die,
    ("http", "/die-midway"): die_midway,
    ("http", "/exit-in-task"): exit_in_task,
    ("http", "/fail-when-left"): fail_when_left,
    ("http", "/file"): send_file,
    ("http", "/file-and-delete"): send_file_and_delete,
    ("http", "/trailers"): trailers,
    ("http", "/hint"): hint,
    ("http", "/fail"): fail,
    ("http", "/fail-at-length"): fail_at_length,
    ("http", "/head-without-end"): head_without_end,
    ("http", "/hint-without-end"): hint_without_end,
    ("http", "/fail-midway"): fail_midway,
    ("http", "/fail-oddly"): fail_oddly,
    ("http", "/no-response"): no_response,
    ("http", "/start-only"): start_only,
    ("http", "/body-first"): body_first,
    ("http", "/start-twice"): start_twice,
    ("http", "/body-after-end"): body_after_end,
    ("http", "/text-body"): text_body,
    ("http", "/text-names"): text_names,
    ("http", "/unknown-type"): unknown_type,
    ("http", "/no-type"): no_type,
    ("websocket", None): ws_echo,
    ("websocket", "/close"): ws_close,
    ("websocket", "/reject"): ws_reject,
    ("websocket", "/deny"): ws_deny,
    ("websocket", "/early"): ws_early,
    ("websocket", "/not-offered"): ws_not_offered,
    ("websocket", "/never"): ws_never,
    ("websocket", "/late"): ws_late,
    ("websocket", "/return"): ws_return,
    ("websocket", "/fail"): ws_fail,
    ("websocket", "/die"): ws_die,
    ("websocket", "/idle"): ws_idle,
    ("websocket", "/flood"): ws_flood,
    ("websocket", "/tick"): ws_tick,
}
