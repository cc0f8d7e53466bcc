"""The stacks of requests that wait on the event loop: the coroutines of their tasks, and what those wait for.

Called from another thread than the loop's: it only reads. Some of it is private to asyncio and anyio: read where it is
there, and left out where it is not.

Tested by test/workers/stacks.test.ts.
"""

import asyncio
from types import FrameType
from typing import Iterator

from ..stacks import is_application, show_tasks
from .stream import Stream

# Tasks and threads that are followed from one request.
_DEPTH = 8
# Innermost frames of a task that may hold a group of tasks, outermost ones of a thread that may hold its future.
_NEAR = 12
_LIBRARIES = ("asyncio", "anyio")


def show_streams(streams: "dict[int, Stream]") -> None:
    """Has the stacks of these streams told to a server that asks."""

    def suspended(threads: "dict[int, list[FrameType]]") -> Iterator:
        for id, stream in list(streams.items()):
            if stream.task:
                yield id, lambda task=stream.task: _stack(task, threads)

    show_tasks(Stream.run.__code__, suspended)


def _stack(task: asyncio.Task, threads: "dict[int, list[FrameType]]") -> "list[FrameType]":
    """Outermost first: its coroutines, then those of the task, or the thread, that it waits for."""
    frames = []
    for _ in range(_DEPTH):
        own = list(_coroutines(task.get_coro()))
        frames += own
        following = _awaited_task(task, own)
        if not following:
            return frames + _thread_for(task, threads)
        task = following
    return frames


def _coroutines(coroutine: object) -> "Iterator[FrameType]":
    while coroutine is not None:
        for frame, awaited in (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await")):
            if hasattr(type(coroutine), frame):
                here = getattr(coroutine, frame)
                if here:
                    yield here
                coroutine = getattr(coroutine, awaited, None)
                break
        else:
            return


def _awaited_task(task: asyncio.Task, frames: "list[FrameType]") -> "asyncio.Task | None":
    waiter = getattr(task, "_fut_waiter", None)
    if isinstance(waiter, asyncio.Task):
        return waiter
    tasks = _tasks_in(waiter, "_children")
    for frame in reversed(frames[-_NEAR:]):
        if tasks:
            break
        if not is_application(frame.f_code.co_filename):  # locals of the application are not touched
            tasks = _children(frame)
    return next((each for each in tasks if not each.done()), None)


def _children(frame: FrameType) -> "list[asyncio.Task]":
    """Of a group of tasks, or of asyncio.wait."""
    values = list(frame.f_locals.values())
    if frame.f_code is asyncio.tasks._wait.__code__:
        return [each for value in values if isinstance(value, (set, list)) for each in value if _is_task(each)]
    return [each for value in values if type(value).__name__ == "TaskGroup" for each in _tasks_in(value, "_tasks")]


def _tasks_in(value: object, name: str) -> "list[asyncio.Task]":
    if not type(value).__module__.startswith(_LIBRARIES):
        return []
    return [each for each in list(getattr(value, name, None) or ()) if _is_task(each)]


def _is_task(value: object) -> bool:
    return isinstance(value, asyncio.Task)


def _thread_for(task: asyncio.Task, threads: "dict[int, list[FrameType]]") -> "list[FrameType]":
    """The frames of the thread whose result it waits for (asyncio.to_thread, run_in_executor, anyio.to_thread)."""
    waiter = getattr(task, "_fut_waiter", None)
    if waiter is None:
        return []
    wanted = {id(waiter), *map(id, _chained(waiter))}
    for frames in threads.values():
        for at, frame in enumerate(frames[:_NEAR]):
            if not is_application(frame.f_code.co_filename) and any(id(each) in wanted for each in _futures(frame)):
                return frames[at + 1 :]
    return []


def _chained(future: object) -> Iterator[object]:
    """The futures of concurrent.futures that this one was made of: asyncio has their callbacks refer to both."""
    for callback, _context in list(getattr(future, "_callbacks", None) or ()):
        for cell in getattr(callback, "__closure__", None) or ():
            yield cell.cell_contents


def _futures(frame: FrameType) -> Iterator[object]:
    for value in list(frame.f_locals.values()):
        yield value
        if type(value).__name__ == "_WorkItem":
            yield value.future
