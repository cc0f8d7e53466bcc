"""Tells the server where the requests are at this moment: the Python stack of the thread or task that serves each.

A thread of its own waits for the question (docs/link.md, "Stacks"), and walks the frames of the others, which go on. So
the application is neither stopped nor interrupted by a signal, and a request costs nothing while nobody asks. A C
extension that holds the GIL keeps the thread from answering; the server then says so.

Tested by test/workers/stacks.test.ts.
"""

import json
import linecache
import os
import signal
import sys
from _thread import start_new_thread  # the real one: gevent may replace the module's name later
from types import FrameType

from .failures import cut
from .wsgi.response import Response

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator

# Requests in one answer, innermost frames of a stack, and characters of each text in them.
_REQUESTS = 32
_FRAMES = 64
_TEXT = 200
# Bytes of an answer; the requests that no longer fit are counted.
_ANSWER = 262_144
_QUESTION = 4_096
# A crash inside this thread must still end the process with its stack; all others are for the main thread.
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}

_OURS = os.path.dirname(__file__) + os.sep
_STDLIB = os.path.dirname(os.__file__) + os.sep
_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)

# By the code that runs a request: where it says that it does, "thread" or "loop".
_runs = {Response.run.__code__: "thread"}
# Gives the requests whose code runs in no thread: pairs of id and a function that returns its frames, outermost first.
_suspended: "Callable[[dict], Iterator[tuple[int, Callable]]] | None" = None


def answer_from(fd: int) -> None:
    """Starts the thread, which owns the descriptor `fd` from now on."""
    os.set_inheritable(fd, False)
    os.set_blocking(fd, True)
    channel = _Channel(fd)
    try:
        start_new_thread(channel.answer_all, ())
    except RuntimeError:
        os.close(fd)  # no more threads for this user: the server learns that nobody will answer


def show_tasks(code: object, suspended: "Callable[[dict], Iterator[tuple[int, Callable]]]") -> None:
    """An event loop serves requests: `code` runs one, `suspended` gives those that wait."""
    global _suspended
    _runs[code] = "loop"
    _suspended = suspended


class _Channel:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._file = os.fstat(fd).st_ino
        os.register_at_fork(after_in_child=self._close)

    def answer_all(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _CRASHES)
        try:
            while self._is_ours():
                if not os.read(self._fd, _QUESTION):
                    return
                data = _answer()
                while data and self._is_ours():
                    data = data[os.write(self._fd, data) :]
        except OSError:
            pass  # the server is gone, or the application has closed all descriptors

    def _is_ours(self) -> bool:
        """An application may have closed it and opened a file of its own in its place."""
        return os.fstat(self._fd).st_ino == self._file

    def _close(self) -> None:
        try:
            if self._is_ours():
                os.close(self._fd)
        except OSError:
            pass


def running() -> "list[dict]":
    """What is under way: dicts with id, place and frames."""
    threads = {ident: list(frames_of(top)) for ident, top in sys._current_frames().items()}
    found = {}
    for frames in threads.values():
        request = _request_of(frames)
        if request:
            found[request["id"]] = request
    for id, frames in _suspended(threads) if _suspended else ():
        if len(found) == _REQUESTS:
            break
        if id not in found:
            found[id] = {"id": id, "place": "task", "frames": _described(frames())}
    return list(found.values())[:_REQUESTS]


def frames_of(frame: "FrameType | None") -> "Iterator[FrameType]":
    """Outermost first."""
    stack = []
    while frame:
        stack.append(frame)
        frame = frame.f_back
    return reversed(stack)


def is_application(file: str) -> bool:
    """Whether it is the user's own: not of the standard library, nor installed, nor ours."""
    return not (file.startswith((_OURS, _STDLIB, "<frozen ")) or any(part in file for part in _INSTALLED))


def _request_of(frames: "list[FrameType]") -> "dict | None":
    for at, frame in enumerate(frames):
        place = _runs.get(frame.f_code)
        if place:
            return {"id": frame.f_locals["self"].id, "place": place, "frames": _described(frames[at + 1 :])}
    return None


def _described(frames: "list[FrameType]") -> "list[dict]":
    first = next((at for at, frame in enumerate(frames) if not frame.f_code.co_filename.startswith(_OURS)), 0)
    return [_frame(frame) for frame in frames[first:][-_FRAMES:]]


def _frame(frame: FrameType) -> dict:
    code, line = frame.f_code, frame.f_lineno or 0
    return {
        "file": cut(code.co_filename, _TEXT),
        "line": line,
        "function": cut(getattr(code, "co_qualname", code.co_name), _TEXT),
        "source": cut(linecache.getline(code.co_filename, line, frame.f_globals).strip(), _TEXT),
        "app": is_application(code.co_filename),
    }


def _answer() -> bytes:
    """One line. The frames belong to code that goes on: what changes under our eyes must not end the thread."""
    try:
        return _encoded(running())
    except Exception as error:
        return (json.dumps({"failure": cut(repr(error), _TEXT)}) + "\n").encode()


def _encoded(requests: "list[dict]") -> bytes:
    """Stacks that do not fit are left out, those found last first."""
    kept, size = [], 0
    for request in requests:
        text = json.dumps(request)
        size += len(text)
        if size > _ANSWER:
            break
        kept.append(text)
    return f'{{"requests": [{", ".join(kept)}]}}\n'.encode()
