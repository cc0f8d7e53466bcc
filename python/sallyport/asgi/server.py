"""One ASGI application in this worker: its requests, and its life from startup to shutdown.

Tested by test/python/test_asgi_life.py.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from marshal import loads
from typing import Callable

from .. import forks
from ..failures import failed_payload
from ..link import CANCEL, COUNT, FAILED, PREFETCH, READY, REQUEST, RETURNED, Link
from ..loader import LoadError
from .http import FileHttp, Http
from .lifespan import Lifespan
from .link import LoopLink
from .loop import end_loop, let_go, loop_name
from .stream import Stream
from .tasks import show_streams
from .watchdog import Watchdog
from .websocket import WebSocket

# Seconds that applications may take to end by themselves when the server is gone, and once they are cancelled.
_PATIENCE = 0.2
_GRACE = 1.0
# Seconds for the lifespan shutdown.
_SHUTDOWN = 10.0

# The signals that end this process, with Python's own handlers.
_SIGNALS = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}

_SPEC = {"version": "3.0", "spec_version": "2.5"}
_EAGER = sys.version_info >= (3, 12)


class Server:
    """Makes a task of every request, and ends when there will be no more."""

    def __init__(self, app: Callable, loop: asyncio.AbstractEventLoop, settings: dict) -> None:
        self._app = app
        self._loop = loop
        self._lifespan = Lifespan(app, settings.get("lifespan", "auto"))
        self._http = FileHttp if settings.get("pathsend") else Http
        self._watchdog = Watchdog(loop, settings.get("slowLoop", 1))
        self._link = LoopLink(loop, self, self._watchdog)
        show_streams(self._link.streams)
        # Common parts of requests, by their numbers.
        self._common_parts: "dict[int, dict]" = {}
        self._stopping = False
        # The exit status.
        self._status = 0
        # How the loop takes signals.
        self._handlers: "dict[int, object]" = {}
        # Set when the server is gone, or will send no more requests and none is under way.
        self._over = asyncio.Event()

    async def run(self, sock: socket.socket, before: Link, on_read: Callable, ready: "Callable[..., bytes]") -> int:
        """Runs until STOP, SIGTERM, or the end of the server. Returns the exit status.

        `before` has read the link until now; `on_read` is called with the bytes read; `ready` makes READY's payload.
        """
        link = self._link
        rest = before.rest()
        link.bytes_read, link.on_read = before.bytes_read - len(rest), on_read
        await self._loop.create_unix_connection(lambda: link, sock=sock)
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._signalled, number)
            self._handlers[number] = signal.getsignal(number)
        os.register_at_fork(after_in_child=self._forked)
        link.take(rest)
        try:
            await self._startup()
        except LoadError as error:
            link.send(FAILED, 0, failed_payload(error.message, error.trace))
            await link.close(_GRACE)
            return 1
        if not self._over.is_set():
            gc.collect()
            gc.freeze()  # objects of the start live as long as the process: no collection needs to visit them again
            self._watchdog.begin()
            link.send(READY, 0, ready(loop=loop_name(self._loop), lifespan=self._lifespan.outcome))
        await self._over.wait()
        self._watchdog.end()
        await self._end()
        return self._status

    async def _startup(self) -> None:
        """The application's startup, unless the server goes away meanwhile."""
        startup = asyncio.ensure_future(self._lifespan.startup())
        over = asyncio.ensure_future(self._over.wait())
        await asyncio.wait((startup, over), return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if startup.done():
            startup.result()
        else:
            startup.cancel()

    async def _end(self) -> None:
        link = self._link
        link.ending = True
        if not self._stopping:
            link.send(PREFETCH, 0, COUNT.pack(0))  # others get the requests from now on
        link.broadcast(CANCEL, b"the server is gone" if link.closed.is_set() else b"the worker ends")
        await let_go([stream.task for stream in link.streams.values()], _PATIENCE, _GRACE)
        await self._lifespan.shutdown(_SHUTDOWN)
        await link.close(_GRACE)

    # What the link calls.

    def learn(self, number: int, payload: bytes) -> None:
        """COMMON: a part that requests of one connection share, and the number of one that it replaces."""
        forgotten, common = loads(payload)
        self._common_parts.pop(forgotten, None)
        self._common_parts[number] = common

    def open(self, link: LoopLink, id: int, kind: int, payload: bytes) -> None:
        """A request. Its task begins at once if this Python can do that."""
        if link.ending:
            return link.send(RETURNED, id)
        scope = loads(payload) if kind == REQUEST else self._scope(payload)
        if type(scope.get("body")) is int:  # the size of a large one, which comes behind what is marshalled
            scope["body"] = bytes(payload[-scope["body"] :])
        stream = self._stream(link, id, scope)
        coroutine = stream.run(self._app)
        if _EAGER:
            task = asyncio.Task(coroutine, loop=self._loop, eager_start=True)
        else:
            task = self._loop.create_task(coroutine)
        if forks.in_child:
            forks.end()  # it waits for this loop
        if not task.done():
            stream.task = task
            link.streams[id] = stream
            stream.inside = False
            if stream.has_head:
                link.hold(stream)

    def _scope(self, payload: "bytes | memoryview") -> dict:
        number, method, path, raw_path, query_string, root_path, body = loads(payload)
        scope = self._common_parts[number].copy()
        scope["headers"] = scope["headers"].copy()  # the only part that an application could change
        scope["method"] = method
        scope["path"] = path
        scope["raw_path"] = raw_path
        scope["query_string"] = query_string
        scope["root_path"] = root_path
        if body != b"":
            scope["body"] = body
        return scope

    def _stream(self, link: LoopLink, id: int, scope: dict) -> Stream:
        scope["asgi"] = _SPEC.copy()
        scope["state"] = self._lifespan.state.copy()
        tls = scope.pop("tls", None)
        trailers = scope.pop("trailers", False)
        if scope["type"] == "http":
            extensions = {"http.response.early_hint": {}}
            if self._http is FileHttp:
                extensions["http.response.pathsend"] = {}
            if trailers:
                extensions["http.response.trailers"] = {}
            stream = self._http(link, id, scope, scope.pop("body", b""), trailers)
        else:
            extensions = {"websocket.http.response": {}}
            stream = WebSocket(link, id, scope)
        if tls:
            extensions["tls"] = _own(tls)
        scope["extensions"] = extensions
        return stream

    def stop(self) -> None:
        self._stopping = True
        if not self._link.streams:
            self._over.set()

    def idle(self) -> None:
        if self._stopping:
            self._over.set()

    def _forked(self) -> None:
        """In a child of the application's, which ends if it comes back to this loop: it shares that with the worker.

        Its signals would go to the worker, too. `Stream.run` and others end it before it gets here, if they can.
        """
        self._link.closed.set()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == handler:  # and not one of the application's
                signal.signal(number, _SIGNALS[number])
        for handle in getattr(self._loop, "_ready", ()):
            handle.cancel()  # other requests of the worker's
        self._loop.call_soon(forks.end)

    def lost(self) -> None:
        """The server is gone, or this process has to end: no answer is of use any more."""
        self._over.set()

    def _signalled(self, number: int) -> None:
        """The server does so only where it has waited long enough; anybody else may."""
        if self._link.streams:
            self._status = 128 + number  # as shells have it
            print(f"sallyport: the worker ends by {signal.Signals(number).name}", file=sys.stderr)
        self.lost()


def _own(tls: dict) -> dict:
    """A copy for one request: those of a connection have it in common."""
    return {name: value.copy() if type(value) is list else value for name, value in tls.items()}


def serve(app: Callable, loop: asyncio.AbstractEventLoop, settings: dict, *link: object) -> int:
    """Runs the application until its end. Returns the exit status of the process."""
    asyncio.set_event_loop(loop)  # again: the import may have set another one
    server = Server(app, loop, settings)
    running = loop.create_task(server.run(*link))
    try:
        return loop.run_until_complete(running)
    except (SystemExit, KeyboardInterrupt) as error:
        forks.end_if_child(error)
        server.lost()  # raised in a task of the application: the process is to end
        loop.run_until_complete(running)
        raise
    finally:
        end_loop(loop, _GRACE)
