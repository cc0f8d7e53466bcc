"""Forks in every way; the parent waits for the child, and answers with its exit status."""

import asyncio
import multiprocessing
import os
import sys
import time


def record(*words):
    with open(os.environ["FORKS_LOG"], "a", encoding="utf-8") as file:
        file.write(" ".join(map(str, words)) + "\n")


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    page = scope["path"][1:]
    record(page)
    said = await PAGES[page]() if page in PAGES else page
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said.encode()})


async def lifespan(receive, send):
    await receive()
    if "FORK_AT_START" in os.environ:
        record("start", await leave())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    record("shutdown")
    await send({"type": "lifespan.shutdown.complete"})


def status_of(pid):
    """Within ten seconds, or the child has gone on; it is ended then."""
    for _ in range(1000):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return str(os.waitstatus_to_exitcode(status))
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "went on"


async def leave():
    return status_of(os.fork() or sys.exit(3))


async def fail():
    return status_of(os.fork() or {}["nothing"])


async def return_to_server():
    pid = os.fork()
    return status_of(pid) if pid else "nobody must read this"


async def wait_in_child():
    pid = os.fork()
    if pid == 0:
        await asyncio.sleep(0.01)
        record("the child went on")
    return status_of(pid)


async def wait_and_leave():
    """Not in the first step of its task, which a new Python runs at once."""
    await asyncio.sleep(0)
    return await leave()


async def leave_a_task():
    return await asyncio.create_task(leave())


async def leave_later_in_a_task():
    async def task():
        await asyncio.sleep(0)
        return await leave()

    return await asyncio.create_task(task())


def child_process(target, *args):
    child = multiprocessing.get_context("fork").Process(target=target, args=args)
    child.start()
    return child


async def process_returns():
    child = child_process(len, "")
    child.join()
    return str(child.exitcode)


async def process_leaves():
    child = child_process(sys.exit, 5)
    child.join()
    return str(child.exitcode)


def tell_and_sleep(writing):
    os.write(writing, b"x")
    time.sleep(20)


async def process_terminated():
    reading, writing = os.pipe()
    child = child_process(tell_and_sleep, writing)
    os.read(reading, 1)
    child.terminate()
    child.join()
    return str(child.exitcode)


async def leave_behind():
    """A child that stays. With the worker's number."""
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    return f"{os.getpid()} {child}"


async def wait():
    await asyncio.sleep(60)


async def use_a_thread():
    """The thread wakes the loop."""
    return await asyncio.get_running_loop().run_in_executor(None, lambda: time.sleep(0.05) or "woken")


PAGES = {
    each.__name__: each
    for each in (
        leave,
        fail,
        return_to_server,
        wait_in_child,
        wait_and_leave,
        leave_a_task,
        leave_later_in_a_task,
        process_returns,
        process_leaves,
        process_terminated,
        use_a_thread,
        leave_behind,
        wait,
    )
}
