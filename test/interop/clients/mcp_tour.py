"""An MCP client at a streamable HTTP server: what it is told while a tool works, and what it gets in the end."""

import asyncio
import json
import sys

from mcp import Client
from mcp.types import TextContent

STEPS = 8


async def tour(url):
    heard = []

    async def progress(done, total, message):
        heard.append([done, total, message])

    async with Client(f"{url}/mcp") as client:
        names = sorted(tool.name for tool in (await client.list_tools()).tools)
        added = await client.call_tool("add", {"a": 2, "b": 40})
        call = client.call_tool("count", {"steps": STEPS, "pause": 0.05}, progress_callback=progress)
        beside = client.call_tool("add", {"a": 1, "b": 1})
        counted, two = await asyncio.gather(call, beside)
        face = (await client.read_resource("clock://face")).contents[0].text
    return {
        "tools": names,
        "added": text(added),
        "counted": text(counted),
        "beside": text(two),
        "heard": heard,
        "face": face,
    }


def text(result):
    return next(part.text for part in result.content if isinstance(part, TextContent))


print(json.dumps(asyncio.run(tour(sys.argv[1]))))
