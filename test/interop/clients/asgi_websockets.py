"""The websockets library at the Starlette site: `asgi_websockets.py URL [CA]`."""

import asyncio
import json
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def tour(url, ca):
    url = url.replace("http", "ws", 1)
    trust = {"ssl": ssl.create_default_context(cafile=ca)} if ca else {}
    async with connect(f"{url}/bytes", max_size=None, **trust) as socket:
        extensions = [extension.name for extension in socket.protocol.extensions]
        await socket.send([b"in ", b"three ", b"fragments"])
        joined = (await socket.recv()).decode()
        await asyncio.wait_for(await socket.ping(), 60)
        big = bytes(range(256)) * 4096
        await socket.send(big)
        whole = await socket.recv() == big
    async with connect(f"{url}/choosy", subprotocols=["chat.v2"], **trust) as socket:
        room = socket.response.headers["x-room"]
        welcome = await socket.recv()
        try:
            closing = await socket.recv()
        except ConnectionClosed as closed:
            closing = [closed.rcvd.code, closed.rcvd.reason]
    try:
        async with connect(f"{url}/choosy", **trust):
            refused = None
    except InvalidStatus as error:
        refused = [error.response.status_code, json.loads(error.response.body)]
    plain = await asyncio.gather(*(echo(url, number, trust) for number in range(50)))
    return {
        "extensions": extensions,
        "joined": joined,
        "whole": whole,
        "choosy": [room, welcome, closing],
        "refused": refused,
        "crowd": plain.count(True),
    }


async def echo(url, number, trust):
    async with connect(f"{url}/json", compression=None, **trust) as socket:
        for turn in range(5):
            await socket.send(json.dumps([number, turn]))
            if json.loads(await socket.recv()) != {"echo": [number, turn]}:
                return False
    return True


print(json.dumps(asyncio.run(tour(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))))
