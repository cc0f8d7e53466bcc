"""The event loop: which one, and how it ends.

Tested by test/python/test_asgi_life.py.
"""

import asyncio
from typing import Iterable

from ..loader import LoadError


def new_loop(choice: str) -> asyncio.AbstractEventLoop:
    """`auto` is uvloop if the application's environment has it. Makes it the current loop of this thread."""
    loop = _uvloop(choice) if choice != "asyncio" else None
    loop = loop or asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def loop_name(loop: asyncio.AbstractEventLoop) -> str:
    return "uvloop" if type(loop).__module__.startswith("uvloop") else "asyncio"


def _uvloop(choice: str) -> "asyncio.AbstractEventLoop | None":
    try:
        import uvloop
    except ImportError:
        if choice == "uvloop":
            raise LoadError("the event loop is to be uvloop, which the application's Python does not have") from None
        return None
    return uvloop.new_event_loop()


async def let_go(tasks: "Iterable[asyncio.Task]", patience: float, grace: float) -> None:
    """Waits for the tasks, cancels those that take longer, and gives up on those that ignore the cancellation."""
    pending = set(tasks)
    if pending:
        _, pending = await asyncio.wait(pending, timeout=patience)
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending, timeout=grace)


def end_loop(loop: asyncio.AbstractEventLoop, grace: float) -> None:
    """As asyncio.run does at its end, but within a time limit."""
    loop.run_until_complete(let_go(asyncio.all_tasks(loop), 0, grace))
    loop.run_until_complete(let_go([loop.create_task(loop.shutdown_asyncgens())], grace, 0))
    asyncio.set_event_loop(None)
    loop.close()
