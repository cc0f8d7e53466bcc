"""Forks of the application's: child processes that come back from its code. They have no link, and nothing to answer.

A child that ends by itself (os._exit, exec, multiprocessing) never gets here. One that comes back would go on as a
second worker: it would run requests that are this worker's, and share the event loop's file descriptors with it.

Tested by test/workers/forks.test.ts.
"""

import os
import sys
import traceback

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, TextIO

# Whether this process is such a child: what answers many requests looks here, which costs it no call.
in_child = False


def _forked() -> None:
    global in_child
    in_child = True


os.register_at_fork(after_in_child=_forked)


def end_if_child(error: "BaseException | None" = None) -> None:
    """Does nothing in the worker itself."""
    if in_child:
        end(error)


def end(error: "BaseException | None" = None) -> "NoReturn":
    """Ends this child, which the application has left by returning or with `error`: as a program ends by SystemExit.

    Without exit functions: they are the worker's, whose files and threads they would clean up.
    """
    status = 1
    try:
        status = _status(error)
        for stream in (sys.stdout, sys.stderr, _stderr()):
            stream.flush()
    finally:
        os._exit(status)


def _status(error: "BaseException | None") -> int:
    if isinstance(error, SystemExit):
        code = error.code
        if code is None or isinstance(code, int):
            return (code or 0) & 0xFF
        print(code, file=_stderr())
        return 1
    print(
        f"sallyport: process {os.getpid()}, a fork of the application's, came back from its code and is ended:"
        " a child has to end by itself, as by os._exit()",
        file=_stderr(),
    )
    if error:
        traceback.print_exception(type(error), error, error.__traceback__, file=_stderr())
    return 1


def _stderr() -> "TextIO":
    """In embedded mode `sys.stderr` leads to the server by way of memory, which this process only has a copy of."""
    return sys.__stderr__ or sys.stderr
