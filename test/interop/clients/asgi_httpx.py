"""httpx at the Starlette site: `asgi_httpx.py URL 1|2 [CA]`. Without TLS, HTTP/2 is spoken with prior knowledge."""

import asyncio
import json
import ssl
import sys

import httpx

BODY = bytes(range(256)) * 8000


async def tour(url, version, ca):
    verify = ssl.create_default_context(cafile=ca) if ca else True
    known = version == "2" and not ca
    options = {"http1": not known, "http2": version == "2", "verify": verify, "timeout": 60, "base_url": url}
    async with httpx.AsyncClient(**options) as client:
        hello = await client.get("/")
        many = await asyncio.gather(*(client.get(f"/static/numbers.txt?{number}") for number in range(40)))
        digest = (await client.post("/digest", content=pieces())).json()
        async with client.stream("GET", "/events?every=0.02&name=httpx") as response:
            beats = await first(response, 3)
        again = await client.get("/")
    return {
        "versions": sorted({hello.http_version, again.http_version, *(each.http_version for each in many)}),
        "hello": hello.text,
        "whole": [len(each.content) for each in many].count(11000),
        "digest": digest,
        "beats": beats,
    }


async def pieces():
    for at in range(0, len(BODY), 100_000):
        yield BODY[at : at + 100_000]


async def first(response, count):
    beats = []
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            beats.append(line[6:])
        if len(beats) == count:
            return beats


print(json.dumps(asyncio.run(tour(*sys.argv[1:3], sys.argv[3] if len(sys.argv) > 3 else None))))
