"""One worker: made ready by the front's INIT frame, then a server of requests until STOP or until the front is gone."""

import faulthandler
import gc
import json
import os
import socket
import sys
from marshal import loads

from . import wsgi
from .link import FAILED, READY, Link
from .loader import LoadError, interface_of, load
from .stream import Inline, Shared

# The descriptor of the link, by agreement with src/workers/worker.ts. Standard output belongs to the application.
_LINK_FD = 3


def main() -> None:
    sock = _open_link()
    link = Link(sock)
    _prepare_streams()
    faulthandler.enable()  # a crash, and the front's SIGABRT for one that hangs, leave the stack on stderr
    _end_with_parent()
    _, _, payload = link.read()
    settings = loads(payload)
    try:
        serve = _prepared(link, settings)
    except LoadError as error:
        link.send(FAILED, 0, _json({"message": error.message, "detail": error.trace}))
        sys.exit(1)
    link.send(READY, 0, _json({"pid": os.getpid(), "python": sys.version.split()[0], "executable": sys.executable}))
    try:
        serve()
    except (EOFError, ConnectionError, KeyboardInterrupt):
        pass  # the front is gone, and so are we; or the application asked for the end


def _prepared(link: Link, settings: dict) -> object:
    """Imports the application; what it returns serves requests until it returns."""
    if settings["chdir"]:
        _chdir(settings["chdir"])
    sys.path[0:1] = settings["path"] + [os.getcwd()]
    sys.argv = [settings["app"]]
    app = load(settings["app"])
    interface = settings["interface"] or interface_of(app)
    if interface != "wsgi":
        raise LoadError(f"{settings['app']} is an ASGI application; this version serves WSGI applications only")
    threads = settings["threads"]
    driver = Inline(link) if threads == 1 else Shared(link, threads)
    server = wsgi.Server(app, driver, settings["constants"], threads, settings["processes"])
    gc.collect()
    gc.freeze()  # what the import made lives as long as we do: no collection needs to look at it again
    return lambda: driver.serve(server.open)


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


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
