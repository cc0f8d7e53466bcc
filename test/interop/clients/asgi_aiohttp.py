"""aiohttp at the Starlette site: `asgi_aiohttp.py URL [CA]`."""

import asyncio
import json
import ssl
import sys

import aiohttp


async def tour(url, ca):
    trust = ssl.create_default_context(cafile=ca) if ca else None
    connector = aiohttp.TCPConnector(ssl=trust) if trust else aiohttp.TCPConnector()
    jar = aiohttp.CookieJar(unsafe=True)  # which is: from an address without a name
    async with aiohttp.ClientSession(url, connector=connector, cookie_jar=jar) as session:
        async with session.get("/") as response:
            hello = await response.text()
        async with session.get("/visits"), session.get("/visits") as second:
            visits = (await second.json())["visits"]
        async with session.post("/digest", data=pieces()) as response:
            size = (await response.json())["size"]
        async with session.get("/compressible") as response:
            coding, length = response.headers["Content-Encoding"], len(await response.text())
        async with session.ws_connect("/json", compress=15) as socket:
            await socket.send_json({"long": "x" * 100_000})
            echo = len((await socket.receive_json())["echo"]["long"])
            compressed = socket.compress
        async with session.ws_connect("/choosy", protocols=["chat.v2"]) as socket:
            chosen = socket.protocol
            welcome = await socket.receive_str()
            closing = await socket.receive()
    return {
        "hello": hello,
        "visits": visits,
        "size": size,
        "gzip": [coding, length],
        "echo": [echo, compressed > 0],
        "choosy": [chosen, welcome, closing.data, closing.extra],
    }


async def pieces():
    for _ in range(20):
        yield b"u" * 50_000


print(json.dumps(asyncio.run(tour(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))))
