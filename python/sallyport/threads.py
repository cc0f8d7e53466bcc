"""The driver of a WSGI application with threads: the main thread reads, `threads` others answer.

Handing the GIL from one thread to another takes longer than a quick request, so it is done as seldom as possible. The
thread that became idle last is woken first. At most one thread at a time has been woken and does not run yet: it wakes
the next one if it finds more requests than its own. Sending does not give the GIL away (outbox.py).

Nothing here relies on the GIL: each step on a deque or a lock is atomic in every build of CPython.
"""

import os
import sys
import threading
from collections import deque
from errno import EBADF, ENOTSOCK
from time import monotonic

from . import forks
from .link import (
    COMMON,
    COUNT,
    DONE,
    HEADER,
    MULTIPROCESS,
    PREFETCH,
    RECALL,
    REPEAT,
    REQUEST,
    RETURNED,
    STOP,
    UPGRADE,
    Link,
)
from .loader import LoadError
from .stream import PREFETCH_MAX, Prefetch, Stream

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from .outbox import SharedOutbox
    from .wsgi import Server

# What a link is that the application has closed.
_CLOSED = (EBADF, ENOTSOCK)
# Seconds of work of one thread after which its pace is looked at, if it does not rest before.
_PACE_INTERVAL = 0.005
# What keeps a thread from being started; it follows what Python says.
_LIMITS = "; the system allows no more threads (rlimits.processes, rlimits.memory, ulimit -u, TasksMax=, pids.max)"


def refuse_greenlets(threads: int) -> None:
    """Raises LoadError where the application has replaced threads by greenlets: none would run while one reads."""
    if _has_greenlets():
        raise LoadError(
            "the application has replaced threads by greenlets (monkey.patch_all() of gevent or eventlet), and "
            f"{threads} threads were asked for: leave out the patch, which threads do not need, or ask for processes"
        )


def _has_greenlets() -> bool:
    """As gevent and eventlet say themselves: debuggers (debugpy, PyCharm's) replace functions of `_thread`, too."""
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    return bool(gevent and gevent.is_module_patched("threading") or eventlet and eventlet.is_monkey_patched("thread"))


class Shared:
    """Reads in the calling thread, answers in `threads` others."""

    def __init__(self, link: Link, outbox: "SharedOutbox", threads: int) -> None:
        self._link = link
        self._outbox = outbox
        self._threads = threads
        self._requests: "deque[tuple[Stream, dict] | None]" = deque()
        # A lock for each idle thread, which waits for its release.
        self._idle: "deque[threading.Lock]" = deque()
        # Held for a thread that was woken and does not run yet: the standby.
        self._standby = threading.Lock()
        self._streams: "dict[int, Stream]" = {}
        self._changed = threading.Condition()
        self._prefetch = Prefetch(threads, threads)
        self._measuring = threading.Lock()
        self._started: "list[threading.Thread]" = []

    def start(self) -> None:
        """Starts the threads. Raises LoadError where the system allows no more: such a worker must not become ready."""
        for at in range(self._threads):
            thread = threading.Thread(target=self._work, args=(at,), daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise LoadError(f"thread {at + 1} of {self._threads}: {error}{_LIMITS}", code="SPAWN_FAILED") from None
            self._started.append(thread)

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        self._outbox.send(HEADER.pack(len(payload), id, kind) + payload)

    def hold(self, frame: bytes) -> None:
        """Sends a whole frame, perhaps together with others.

        It may wait while this thread goes on with another request, if a second thread has been woken: that one gets the
        GIL as soon as the other request waits for anything, and sends what is held.
        """
        if not (self._requests and self._standby.locked()):
            return self._outbox.send(frame)
        self._outbox.hold(frame)
        if not self._standby.locked():
            self._outbox.flush()  # it looked before there was anything

    def serve(self, server: "Server") -> None:
        """Like Inline.serve, after `start`; at the end it waits for the requests that are being answered."""
        self._read(server)
        self._requests.extend([None] * self._threads)
        self._wake()
        for thread in self._started:
            thread.join()

    def ends_with(self, error: BaseException) -> bool:
        """In a thread, SystemExit ends the request and not the process, as in any thread of Python's."""
        return False

    def wait(self, _stream: Stream, ready: "Callable[[], bool]") -> None:
        with self._changed:
            self._changed.wait_for(ready)

    def look_again(self) -> None:
        """What a stream waits for has come from another thread than the reading one."""
        with self._changed:
            self._changed.notify_all()

    def poll(self, stream: Stream) -> None:
        """Nothing to do: the reading thread has already delivered."""

    def between_blocks(self, stream: Stream) -> None:
        """Nothing to do: other threads take the requests that wait, and the reading thread gives them back."""

    def _read(self, server: "Server") -> None:
        while True:
            kind, id, payload = self._link.read()
            if kind == REPEAT or kind == REQUEST:
                stream = self._streams[id] = server.open(id)
                # Not in the thread: the server may have replaced the common part by the time that one is free.
                self._requests.append((stream, server.environ(kind, payload)))
                self._wake()
            elif kind == COMMON:
                server.learn(id, payload)
            elif kind == MULTIPROCESS:
                server.become_multiprocess()
            elif kind == STOP:
                return
            elif kind == RECALL:
                self._give_back(id)
            elif kind == UPGRADE:
                stream = self._streams[id] = server.open_upgrade(id)
                self._requests.append((stream, server.environ(kind, payload)))
                self._wake()
            elif stream := self._streams.get(id):
                with self._changed:
                    stream.receive(kind, payload)
                    self._changed.notify_all()

    def _give_back(self, id: int) -> None:
        """RECALL: the request goes to another worker, unless a thread has it."""
        for request in list(self._requests):
            if request is not None and request[0].id == id:
                try:
                    self._requests.remove(request)
                except ValueError:
                    return  # a thread was quicker
                del self._streams[id]
                return self.send(RETURNED, id)

    # The threads that answer.

    def _wake(self) -> None:
        """Wakes a thread for what is in `_requests`, unless one has been woken: it looks there after this call."""
        if self._standby.acquire(False):
            try:
                self._idle.pop().release()
            except IndexError:  # all are busy: each looks for requests before it rests
                self._stand_down()

    def _stand_down(self) -> None:
        """The thread that was woken runs. Others may have left their answers to it."""
        self._standby.release()
        self._outbox.flush()

    def _work(self, number: int) -> None:
        try:
            self._answer_all(number)
        except OSError as error:
            # The reading thread does not notice that the application has closed the link: requests would wait in vain.
            if error.errno in _CLOSED:
                os._exit(1)
            raise

    def _answer_all(self, number: int) -> None:
        requests = self._requests
        woken = threading.Lock()
        woken.acquire()
        served, began = 0, monotonic()
        while True:
            try:
                request = requests.popleft()
            except IndexError:
                self._measure(served, monotonic() - began)
                self._rest(woken)
                served, began = 0, monotonic()
                continue
            if requests:
                self._wake()
            if request is None:
                return self._outbox.flush()
            self._answer(number, *request)
            served += 1
            now = monotonic()
            if now - began > _PACE_INTERVAL:
                self._measure(served, now - began)
                served, began = 0, now

    def _answer(self, number: int, stream: Stream, environ: dict) -> None:
        if stream.cancelled:
            stream.send(DONE)  # cancelled while it waited for a thread
        else:
            self._outbox.begin_in(number, stream.id)
            stream.run(environ)
            if forks.in_child:
                forks.end()
        del self._streams[stream.id]

    def _rest(self, woken: "threading.Lock") -> None:
        """Waits until there may be a request for this thread, which `woken` wakes."""
        self._outbox.flush()
        self._idle.append(woken)
        if self._requests:
            # Perhaps from before this thread was seen to be idle. Unless it is just being woken, it takes the request.
            try:
                return self._idle.remove(woken)
            except ValueError:
                pass
        woken.acquire()
        self._stand_down()

    def _measure(self, served: int, seconds: float) -> None:
        """`served` requests have taken one of the threads so many seconds."""
        if self._threads >= PREFETCH_MAX:
            return  # no more than one for each thread is ever asked for
        with self._measuring:
            self._prefetch.served += served
            count = self._prefetch.after(seconds / self._threads)
        if count:
            self._outbox.hold(HEADER.pack(COUNT.size, 0, PREFETCH) + COUNT.pack(count))
