"""The demonstration application as ASGI 3.0: shows the scope it was called with; over a WebSocket it is a chat."""

from html import escape

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>ASGI</title><link rel="stylesheet" href="/style.css"></head><body>
<p><a href="/">all doors</a></p>
<h1>ASGI</h1>
<p class="lead">A coroutine on an event loop, in a Python process that stays; it was handed:</p>
<h2>scope</h2>
<table>{rows}</table>
<h2>receive()</h2>
<form method="post"><input name="text" value="a request body"><button>Send</button></form>
<pre>{body}</pre>
<h2>the same address as a WebSocket</h2>
<p>Open this page twice.</p>
<form id="chat"><input value="hello"><button>Say</button></form>
<pre id="said"></pre>
<script>
const socket = new WebSocket(location.href.replace(/^http/, "ws"));
socket.onmessage = ({{ data }}) => document.getElementById("said").append(data, "\\n");
chat.onsubmit = (event) => {{ event.preventDefault(); socket.send(chat[0].value); }};
</script>
</body></html>
"""

talkers = set()


async def application(scope, receive, send):
    if scope["type"] == "http":
        await show(scope, await read(receive), send)
    elif scope["type"] == "websocket":
        await chat(receive, send)
    else:
        raise NotImplementedError("this application needs no lifespan")


async def read(receive):
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    return body


async def show(scope, body, send):
    facts = {name: value for name, value in scope.items() if name != "headers"}
    headers = {name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in scope["headers"]}
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in {**facts, **headers}.items()
    )
    page = PAGE.format(rows=rows, body=escape(body.decode("utf-8", "replace")) or "(empty)").encode()
    fields = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(page))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": page})


async def chat(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    talkers.add(send)
    try:
        while (event := await receive())["type"] == "websocket.receive":
            for each in list(talkers):
                await each({"type": "websocket.send", "text": event.get("text") or ""})
    finally:
        talkers.discard(send)
