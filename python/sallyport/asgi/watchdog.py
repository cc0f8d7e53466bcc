"""Reports when the application blocks the event loop: for how long, in which request, and where in its code."""

import asyncio
import sys
import threading
import traceback
from time import sleep

from ..stacks import frames_of
from .stream import Stream

# Heartbeats within the time that counts as blocked: the precision of the measurement.
_BEATS = 4


class Watchdog:
    """A thread that has the loop set an event at regular intervals. It sleeps while the loop is idle.

    The link calls `wake` if it is `asleep` and frames have come. It works between `begin` and `end` only: while the
    application starts or shuts down, a blocked loop delays no request. `limit` in seconds; 0 for off.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: float) -> None:
        # Whether `wake` must be called.
        self.asleep = False
        self._active = False
        self._loop = loop
        self._limit = limit
        self._watched = threading.get_ident()
        self._thread = None
        self._awake = threading.Event()
        self._heartbeat = threading.Event()
        self._link = None
        # The link's count of writes at the last heartbeat: unchanged if the loop was idle since.
        self._batch = -1

    # In the thread of the loop.

    def begin(self) -> None:
        self._active = self.asleep = self._limit > 0

    def end(self) -> None:
        self._active = self.asleep = False
        self._awake.clear()

    def wake(self, link: object) -> None:
        self.asleep = False
        self._link = link
        if not self._thread:
            self._thread = threading.Thread(target=self._watch, name="sallyport-watchdog", daemon=True)
            self._thread.start()
        self._awake.set()

    def _on_heartbeat(self) -> None:
        if not self._link.streams and self._link.batch == self._batch:
            self._awake.clear()
            self.asleep = self._active
        self._batch = self._link.batch
        self._heartbeat.set()

    # In its own thread.

    def _watch(self) -> None:
        while self._awake.wait():
            self._heartbeat.clear()
            try:
                self._loop.call_soon_threadsafe(self._on_heartbeat)
            except RuntimeError:
                return  # the loop is closed
            while not self._heartbeat.wait(self._limit) and self._active:
                batch = self._link.batch
                print(self._report(), file=sys.stderr)
                # One report for each block: it is another one once frames have left, even without a heartbeat between.
                while self._link.batch == batch and not self._heartbeat.wait(self._limit):
                    pass
            sleep(self._limit / _BEATS)

    def _report(self) -> str:
        frames = list(frames_of(sys._current_frames().get(self._watched)))
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


def _request(scope: dict) -> str:
    return f"{scope['method'] if scope['type'] == 'http' else 'a WebSocket of'} {scope['path']!r}"
