"""One worker: the INIT frame makes it ready, then it answers requests until STOP or until the server is gone.

Tested by test/protocols/wsgi/workers.test.ts.
"""

import faulthandler
import gc
import json
import os
import socket
import sys
from functools import partial
from marshal import loads

from . import logs, stacks, wsgi
from .after_import import after_import
from .failures import failed_payload
from .interpreter import interpreter
from .link import FAILED, READY, Link
from .loader import LoadError, choose_interface, load
from .outbox import Direct, Outbox, SharedOutbox
from .stream import Inline
from .threads import Shared, refuse_greenlets

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

# The descriptor of the link, the same as in src/workers/worker.ts. Standard output belongs to the application.
_LINK_FD = 3
# The descriptor of the outbox's file, if INIT says how many bytes of answers it has room for.
_OUTBOX_FD = 4
# The descriptor for questions about stacks, if INIT says that there is one.
_STACKS_FD = 5
_loop = None


def main() -> None:
    sock = _open_link()
    link = Link(sock)
    _prepare_streams()
    faulthandler.enable()  # a crash, or SIGABRT from the server to a worker that hangs, prints the stacks
    _end_with_parent()
    _, _, payload = link.read()
    settings = loads(payload)
    if settings.get("records"):
        logs.install(logs.marked(settings["records"]))
    if settings.get("stacks"):
        stacks.answer_from(_STACKS_FD)
    try:
        room = settings.get("outbox")
        outbox = Outbox(sock, _OUTBOX_FD, room) if room else Direct(sock)
        outbox.record_read(link.bytes_read)
        link.on_read = outbox.record_read
        serve = _prepared(link, outbox, sock, settings)
    except LoadError as error:
        link.send(FAILED, 0, failed_payload(error.message, error.trace, error.cause, error.code))
        sys.exit(1)
    sys.exit(serve())


def _prepared(link: Link, outbox: "Outbox | Direct", sock: socket.socket, settings: dict) -> "Callable[[], int]":
    """Imports the application. Returns a function that serves it until the end and returns the exit status."""
    if settings["directory"]:
        _chdir(settings["directory"])
    sys.path[0:1] = settings["path"] + [os.getcwd()]
    target, interface = settings["app"], settings["interface"]
    sys.argv = [target]
    if interface == "asgi":
        _prepare_loop(settings)
    unsaid = after_import("asyncio", partial(_prepare_loop, settings)) if interface is None else None
    app = load(target)
    if unsaid:
        unsaid.end()  # a WSGI application that imports asyncio within a request makes its loops itself
    if choose_interface(app, target, interface) == "asgi":
        return _asgi(app, link, outbox, sock, settings)
    return _wsgi(app, link, outbox, sock, settings)


def _wsgi(
    app: object, link: Link, outbox: "Outbox | Direct", sock: socket.socket, settings: dict
) -> "Callable[[], int]":
    threads = settings["threads"]
    if threads > 1:
        refuse_greenlets(threads)
    driver = Inline(link, outbox) if threads == 1 else Shared(link, SharedOutbox(outbox, sock), threads)
    server = wsgi.Server(app, driver, settings["constants"], threads, settings["processes"])
    gc.collect()
    gc.freeze()  # imported objects live as long as the process: no collection needs to visit them again
    driver.start()

    def serve() -> int:
        driver.send(READY, 0, _ready("wsgi"))
        try:
            driver.serve(server)
        except (EOFError, ConnectionError, KeyboardInterrupt):
            pass  # the server is gone; or the application asked for the end
        return 0

    return serve


def _asgi(
    app: object, link: Link, outbox: "Outbox | Direct", sock: socket.socket, settings: dict
) -> "Callable[[], int]":
    from .asgi.server import serve  # not at the top: WSGI workers need no asyncio

    loop = _prepare_loop(settings)
    return lambda: serve(app, loop, settings, sock, link, outbox.record_read, partial(_ready, "asgi"))


def _prepare_loop(settings: dict) -> object:
    """The event loop, made once: before the application can ask for it, since what its import makes may bind to it."""
    global _loop
    if _loop is None:
        from .asgi.loop import new_loop

        _loop = new_loop(settings.get("loop", "auto"))
    return _loop


def _ready(interface: str, **more: str) -> bytes:
    return json.dumps({**interpreter(), "interface": interface, **more}).encode()


def _chdir(directory: str) -> None:
    try:
        os.chdir(directory)
    except OSError as error:
        raise LoadError(f"cannot change into {directory}: {error.strerror}") from None


def _open_link() -> socket.socket:
    """Not inherited: neither a program that the application starts nor a fork may keep the link open."""
    os.set_inheritable(_LINK_FD, False)
    sock = socket.socket(fileno=_LINK_FD)
    sock.setblocking(True)
    os.register_at_fork(after_in_child=partial(_close, sock))
    return sock


def _close(sock: socket.socket) -> None:
    """Not by `sock.close`, which waits until nothing uses the socket: an event loop may, as uvloop does."""
    try:
        os.close(sock.detach())
    except OSError:
        pass  # it was closed before


def _prepare_streams() -> None:
    """Flushes each line; printing never raises an error of encoding."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")


def _end_with_parent() -> None:
    """On Linux, the death of the server ends its workers, even those that are not reading (prctl(2))."""
    try:
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass
