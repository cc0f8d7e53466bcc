"""One worker: made ready by the front's INIT frame, then a server of requests until STOP or until the front is gone."""

import faulthandler
import gc
import json
import os
import socket
import sys
from functools import partial
from marshal import loads
from typing import Callable

from . import wsgi
from .failures import failed_payload
from .link import FAILED, READY, Link
from .loader import LoadError, choose_interface, load
from .outbox import Direct, Outbox
from .stream import Inline, Shared

# The descriptor of the link, by agreement with src/workers/worker.ts. Standard output belongs to the application.
_LINK_FD = 3
# The descriptor of the outbox's file, where INIT says that there is one.
_OUTBOX_FD = 4
# Before Python 3.10, asyncio's locks and queues bind themselves to a loop when they are made, often by an import.
_BOUND_EARLY = sys.version_info < (3, 10)

_loop = None


def main() -> None:
    sock = _open_link()
    link = Link(sock)
    _prepare_streams()
    faulthandler.enable()  # a crash, and the front's SIGABRT for one that hangs, leave the stack on stderr
    _end_with_parent()
    _, _, payload = link.read()
    settings = loads(payload)
    try:
        outbox = Outbox(sock, _OUTBOX_FD) if settings.get("outbox") else Direct(sock)
        outbox.took(link.taken)
        link.took = outbox.took
        serve = _prepared(link, outbox, sock, settings)
    except LoadError as error:
        link.send(FAILED, 0, failed_payload(error.message, error.trace))
        sys.exit(1)
    sys.exit(serve())


def _prepared(link: Link, outbox: "Outbox | Direct", sock: socket.socket, settings: dict) -> "Callable[[], int]":
    """Imports the application; what it returns serves it until the end and gives the exit status."""
    if settings["directory"]:
        _chdir(settings["directory"])
    sys.path[0:1] = settings["path"] + [os.getcwd()]
    target, said = settings["app"], settings["interface"]
    sys.argv = [target]
    if said == "asgi" or (said is None and _BOUND_EARLY):
        _prepare_loop(settings)
    app = load(target)
    if choose_interface(app, target, said) == "asgi":
        return _asgi(app, link, outbox, sock, settings)
    return _wsgi(app, link, outbox, settings)


def _wsgi(app: object, link: Link, outbox: "Outbox | Direct", settings: dict) -> "Callable[[], int]":
    threads = settings["threads"]
    driver = Inline(link, outbox) if threads == 1 else Shared(link, threads)
    server = wsgi.Server(app, driver, settings["constants"], threads, settings["processes"])
    gc.collect()
    gc.freeze()  # what the import made lives as long as we do: no collection needs to look at it again

    def serve() -> int:
        driver.send(READY, 0, _ready("wsgi"))
        try:
            driver.serve(server)
        except (EOFError, ConnectionError, KeyboardInterrupt):
            pass  # the front is gone, and so are we; or the application asked for the end
        return 0

    return serve


def _asgi(
    app: object, link: Link, outbox: "Outbox | Direct", sock: socket.socket, settings: dict
) -> "Callable[[], int]":
    from .asgi.server import serve  # asyncio is not for workers that do without

    loop = _prepare_loop(settings)
    return lambda: serve(app, loop, settings, sock, link, outbox.took, partial(_ready, "asgi"))


def _prepare_loop(settings: dict) -> object:
    """The loop that the application will run on is there while it is imported, for what binds itself to one."""
    global _loop
    if _loop is None:
        from .asgi.loop import new_loop

        _loop = new_loop(settings.get("loop", "auto"))
    return _loop


def _ready(interface: str, **more: str) -> bytes:
    python = {"pid": os.getpid(), "python": sys.version.split()[0], "executable": sys.executable}
    return json.dumps({**python, "interface": interface, **more}).encode()


def _chdir(directory: str) -> None:
    try:
        os.chdir(directory)
    except OSError as error:
        raise LoadError(f"cannot change into {directory}: {error.strerror}") from None


def _open_link() -> socket.socket:
    """Ours alone: neither a program that the application starts nor a fork of it may keep the link open."""
    os.set_inheritable(_LINK_FD, False)
    sock = socket.socket(fileno=_LINK_FD)
    sock.setblocking(True)
    os.register_at_fork(after_in_child=sock.close)
    return sock


def _prepare_streams() -> None:
    """Lines leave when they are ended; nothing that an application prints can fail for its encoding."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")


def _end_with_parent() -> None:
    """On Linux, a front that is killed takes its workers along, even those that are not reading (prctl(2))."""
    try:
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass
