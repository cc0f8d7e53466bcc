"""An application that does, by path, what an application should not."""

import os
import sys
import threading
import time

from checksum import answer

_LOCK = threading.Lock()
_LEAKED = []


def _deadlock():
    _LOCK.acquire()
    _LOCK.acquire()


def _leak():
    _LEAKED.append(bytearray(os.urandom(1024) * 10_240))
    return f"{os.getpid()} {len(_LEAKED)}"


def _fork_child():
    """The child outlives the request, and its parent."""
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
        os._exit(0)
    return str(pid)


def _fork_returns():
    """The child goes on as if it were the server."""
    pid = os.fork()
    return "parent" if pid else "child"


def _fork_many():
    for _ in range(20):
        if os.fork() == 0:
            os._exit(0)
    return "forked"


def _close_all():
    os.closerange(0, 4096)


def _exit_in_thread():
    thread = threading.Thread(target=os._exit, args=(3,))
    thread.start()
    thread.join()


_ACTS = {
    "/deadlock": _deadlock,
    "/leak": _leak,
    "/fork-child": _fork_child,
    "/fork-returns": _fork_returns,
    "/fork-many": _fork_many,
    "/close-all": _close_all,
    "/exit": _exit_in_thread,
    "/pid": lambda: f"{os.getpid()} {os.getppid()}",
    "/print": lambda: print("printed", file=sys.stderr),
}


def app(environ, start_response):
    body = environ["wsgi.input"].read()
    act = _ACTS.get(environ["PATH_INFO"])
    text = act() if act else answer(body, environ["QUERY_STRING"]).decode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(text).encode()]
