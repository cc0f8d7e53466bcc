"""A server of the Model Context Protocol over streamable HTTP: a tool that tells of its progress while it works."""

import asyncio

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("clock")


@server.tool()
async def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
async def count(steps: int, pause: float, ctx: Context) -> str:
    """Counts, and says so at each step."""
    for step in range(1, steps + 1):
        await ctx.report_progress(step, steps, f"step {step}")
        await asyncio.sleep(pause)
    return f"counted to {steps}"


@server.resource("clock://face")
def face() -> str:
    return "XII"


app = server.streamable_http_app()
