"""Tells when the application blocks the event loop: for how long, in which request, and where in its code."""

import asyncio
import sys
import threading
import traceback
from time import sleep
from types import FrameType
from typing import Iterator

from .stream import Stream

# Beats in the time that counts as blocked: how exactly it is measured.
_BEATS = 4


class Watchdog:
    """A thread that has the loop set an event every now and then. It sleeps while nothing goes on.

    Whoever has something to do for the loop calls `wake` if it is `asleep`. On duty between `begin` and `end` only:
    while the application starts or shuts down there is nobody whom it could keep waiting. Off where `limit` (seconds)
    is 0.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: float) -> None:
        # Whether it wants to be woken.
        self.asleep = False
        self._on_duty = False
        self._loop = loop
        self._limit = limit
        self._watched = threading.get_ident()
        self._thread = None
        self._awake = threading.Event()
        self._beaten = threading.Event()
        self._link = None
        # The link's count of writes at the last beat: whether anything has happened since.
        self._batch = -1

    # In the loop's thread.

    def begin(self) -> None:
        self._on_duty = self.asleep = self._limit > 0

    def end(self) -> None:
        self._on_duty = self.asleep = False
        self._awake.clear()

    def wake(self, link: object) -> None:
        self.asleep = False
        self._link = link
        if not self._thread:
            self._thread = threading.Thread(target=self._watch, name="sallyport-watchdog", daemon=True)
            self._thread.start()
        self._awake.set()

    def _beat(self) -> None:
        if not self._link.streams and self._link.batch == self._batch:
            self._awake.clear()
            self.asleep = self._on_duty
        self._batch = self._link.batch
        self._beaten.set()

    # In its own.

    def _watch(self) -> None:
        while self._awake.wait():
            self._beaten.clear()
            try:
                self._loop.call_soon_threadsafe(self._beat)
            except RuntimeError:
                return  # the loop is closed
            while not self._beaten.wait(self._limit) and self._on_duty:
                batch = self._link.batch
                print(self._report(), file=sys.stderr)
                # Once for each time. It is another one when something has left meanwhile, though no beat came between.
                while self._link.batch == batch and not self._beaten.wait(self._limit):
                    pass
            sleep(self._limit / _BEATS)

    def _report(self) -> str:
        frames = list(_frames(sys._current_frames().get(self._watched)))
        place = f"the event loop has been blocked for {self._limit:g} s"
        for at, frame in enumerate(frames):
            if frame.f_code is Stream.run.__code__:
                place += f" by {_request(frame.f_locals['self'].scope)}"
                frames = frames[at + 1 :]
                break
        stack = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames)
        return (
            f"sallyport: {place}; no other request of this worker goes on meanwhile. It is here:\n"
            + "".join(stack.format()).rstrip()
        )


def _frames(frame: "FrameType | None") -> "Iterator[FrameType]":
    """Outermost first."""
    stack = []
    while frame:
        stack.append(frame)
        frame = frame.f_back
    return reversed(stack)


def _request(scope: dict) -> str:
    return f"{scope['method'] if scope['type'] == 'http' else 'a WebSocket of'} {scope['path']!r}"
