"""One exchange on the event loop: the application's task, and how it waits for frames and for credit."""

import asyncio
import builtins
import traceback
from collections import deque
from types import FrameType
from typing import Awaitable, Callable, Iterator

from .. import forks
from ..failures import ProtocolError, abort_payload
from ..link import ABORT, CANCEL, CHUNK, COUNT, CREDIT, LEAVE, PIECE, WANT, WINDOW
from ..stream import Disconnected
from .link import LoopLink

# Calls of `receive` after the end before the application has to pause, and seconds of the pause.
_FREE_CALLS = 100
_PAUSE = 0.01
# Bytes of each response that do not wait for those of others. Whole responses do not either (`Response._answer`).
_FIRST = 16_384
# Seconds in which an application may notice that its exchange has ended because the server leaves.
_NOTICE_TIME = 1.0
# What task groups raise, from Python 3.11 on.
_GROUP = getattr(builtins, "BaseExceptionGroup", ())
_NOT_A_MESSAGE = "send() was given {what}; expected a dict with 'type'"


class Stream:
    """The base of responses and WebSockets. Subclasses have the tables of their states.

    `steps` is the state: which message types are allowed now, and the method for each.
    """

    # As class attributes: most streams write only a few of these.
    task = None
    # Why nothing can be sent any more; None while the client is there.
    cancelled = None
    # True in the application's first step, which runs while the request is being read.
    inside = True
    _granted = WINDOW
    _spent = 0
    # A large piece is being sent, in several frames.
    _busy = False
    _waiters: "deque[asyncio.Future] | None" = None
    # How often the application has been shown the end.
    _ends_shown = 0
    # The server leaves: streams that would never end by themselves have to.
    _leaving = False

    def __init__(self, link: LoopLink, id: int, scope: dict) -> None:
        self.link = link
        self.id = id
        self.scope = scope

    # The state after a large message that was cancelled when a part of it had left: nothing valid can follow, but
    # the end of an open WebSocket.
    TORN = {}

    # The application's run.

    async def run(self, app: Callable) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:
            if isinstance(error, GeneratorExit) and self.link.loop.is_closed():
                raise  # the link is gone with the loop
            self._raised(error)
        else:
            if forks.in_child:
                forks.end()
            self._returned()

    def _raised(self, error: BaseException) -> None:
        """Reports the exception, unless it only says that the client left or that the server leaves."""
        forks.end_if_child(error)
        over = self.cancelled is not None or self._leaving
        if _is_disconnect(error, self) or (over and isinstance(error, asyncio.CancelledError)):
            self._done()
        else:
            self._abort(error)

    def _abort(self, error: BaseException) -> None:
        if self.link.ending:
            traceback.print_exception(type(error), error, error.__traceback__)
        else:
            self.link.send(ABORT, self.id, abort_payload(error))
        self.steps = {}
        self.link.forget(self.id)

    def _done(self) -> None:
        self.steps = {}
        if self.link.ending:
            self.link.forget(self.id)
        else:
            self.link.finish(self.id)

    # What the application sends.

    async def send(self, message: dict) -> None:
        """ASGI's send. Raises ProtocolError for what is not allowed now, Disconnected once the exchange is over."""
        while self._busy:
            await self._changed()
        try:
            step = self.steps.get(message["type"])
        except (TypeError, KeyError):
            raise ProtocolError(_NOT_A_MESSAGE.format(what=repr(message)[:200])) from None
        if step is None:
            raise self._unexpected(message["type"])
        if self.cancelled is not None:
            raise self._disconnected()
        waiting = step(self, message)
        if waiting is not None:
            await self._exclusively(waiting)

    def _unexpected(self, kind: object) -> Exception:
        if self.cancelled is not None:  # what would be in order has no answer any more
            return self._disconnected()
        after = "" if self.steps else ", after the last message of all"
        if self._is_torn:
            after = ", after a message that it gave up in the middle"
        if self.steps:
            after += f"; expected {' or '.join(map(repr, self.steps))}"
        return ProtocolError(f"the application sent {kind!r}{after}")

    def _disconnected(self) -> Exception:
        self._ends_shown += 1
        return Disconnected(self.cancelled, self)

    async def _exclusively(self, waiting: "Awaitable[None]") -> None:
        self._busy = True
        try:
            await waiting
        finally:
            self._busy = False
            self.wake()

    def _fits(self, size: int) -> bool:
        """Whether `size` bytes may leave in one frame now. The beginning of a response goes before what is large."""
        if size > PIECE or size > self._granted - self._spent:
            return False
        return not self.link.paused or self._spent + size <= _FIRST

    async def _send_pieces(self, data: bytes, last: int = CHUNK) -> None:
        """Bytes of any size against credit, in CHUNK frames; the last has the kind `last`."""
        view = memoryview(data)
        start, size = 0, len(data)
        while True:
            try:
                room = await self._room()
            except asyncio.CancelledError:
                if start:
                    self._tear()
                raise
            end = min(start + min(room, PIECE), size)
            self._spent += end - start
            self.link.send(CHUNK if end < size else last, self.id, bytes(view[start:end]))
            start = end
            if start == size:
                return

    def _tear(self) -> None:
        self.steps = self.TORN

    @property
    def _is_torn(self) -> bool:
        return self.steps is self.TORN

    async def _room(self) -> int:
        """Waits for credit and for the link. Returns how many bytes may be sent, at least one. Raises Disconnected."""
        has_turn = False
        while self.cancelled is None:
            room = self._granted - self._spent
            if room <= 0:
                await self._changed()
            elif has_turn or self.link.is_free:
                return room
            else:
                await self.link.turn()
                has_turn = True
        raise self._disconnected()

    # Frames from the server.

    def frame(self, kind: int, payload: bytes) -> None:
        if kind == CREDIT:
            self._granted += COUNT.unpack(payload)[0]
        elif kind == CANCEL:
            self._cancel(payload.decode("utf-8", "replace") or "the client closed the connection")
        elif kind == LEAVE:
            self._leaving = True
        else:
            self._arrived(kind, payload)
        self.wake()

    def _cancel(self, reason: str) -> None:
        """Nothing can be sent any more, for this reason.

        An application that waits for something else does not notice; while the server leaves, its task is cancelled.
        """
        self.cancelled = reason
        if self._leaving:
            self.link.loop.call_later(_NOTICE_TIME, self._cancel_if_unnoticed)

    def _cancel_if_unnoticed(self) -> None:
        if not self._ends_shown:
            self.task.cancel()

    def _want(self, size: int) -> None:
        self.link.send(WANT, self.id, COUNT.pack(size))

    # Waiting.

    async def _changed(self) -> None:
        """Waits until something has changed; each waiter then checks its own condition again."""
        future = self.link.loop.create_future()
        if self._waiters is None:
            self._waiters = deque()
        self._waiters.append(future)
        try:
            await future
        except BaseException:
            if future in self._waiters:
                self._waiters.remove(future)
            raise

    def wake(self) -> None:
        waiters = self._waiters
        while waiters:
            future = waiters.popleft()
            if not future.done():
                future.set_result(None)

    async def _show_end(self) -> None:
        """Keeps an application that calls `receive` in a loop after the end from blocking the event loop.

        Mostly without waiting: frameworks call it in a cancelled scope to see whether a message is there already.
        """
        self._ends_shown += 1
        if self._ends_shown % _FREE_CALLS == 0:
            await asyncio.sleep(_PAUSE)


def _is_disconnect(error: "BaseException | None", stream: Stream) -> bool:
    """Whether it is the Disconnected of this stream, or an exception that a framework has made of it."""
    seen = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, Disconnected):
            return error.stream is stream
        if isinstance(error, _GROUP):
            return all(_is_disconnect(each, stream) for each in error.exceptions)
        seen.add(id(error))
        error = error.__cause__ or (error.__context__ if _is_translated(error) else None)
    return False


def _is_translated(error: BaseException) -> bool:
    """Whether it was raised in place of the one that was caught there, and is not a failure while that was handled.

    Frameworks do so with classes of their own, in the function that has caught it.
    """
    if error.__context__ is None or type(error).__module__ == "builtins":
        return False
    return _innermost(error) in _frames(error.__context__)


def _frames(error: BaseException) -> "Iterator[FrameType]":
    trace = error.__traceback__
    while trace:
        yield trace.tb_frame
        trace = trace.tb_next


def _innermost(error: BaseException) -> "FrameType | None":
    return deque(_frames(error), maxlen=1).pop() if error.__traceback__ else None
