"""Lifespan 2.0: events before the first request and after the last, in a task of their own.

Tested by test/python/test_asgi_life.py.
"""

import asyncio
import sys
import traceback
from typing import Callable

from .. import forks
from ..failures import ProtocolError, application_trace, summary
from ..loader import LoadError

STARTUP_COMPLETE, STARTUP_FAILED = "lifespan.startup.complete", "lifespan.startup.failed"
SHUTDOWN_COMPLETE, SHUTDOWN_FAILED = "lifespan.shutdown.complete", "lifespan.shutdown.failed"

# What may be sent when; the state is the number of events that the application has been given.
_EXPECTED = ((), (STARTUP_COMPLETE, STARTUP_FAILED), (SHUTDOWN_COMPLETE, SHUTDOWN_FAILED))


class Lifespan:
    """The lifespan of one application. Every scope gets a copy of `state`."""

    def __init__(self, app: Callable, mode: str) -> None:
        self.state: dict = {}
        # For READY: "on", "off", or why it is unsupported.
        self.outcome = "off"
        self._app = app
        self._mode = mode
        self._task = None
        # The number of events given so far, and the answers to them.
        self._given = 0
        self._answers: "dict[str, str]" = {}
        self._answered = asyncio.Event()
        self._stopping = asyncio.Event()

    async def startup(self) -> None:
        """Returns once requests may come. Raises LoadError if the application says that it cannot start."""
        if self._mode == "off":
            return
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(_error_of)  # asyncio logs exceptions that are never retrieved
        await self._until_answered()
        self._answered.clear()
        if STARTUP_FAILED in self._answers:
            raise _failed(self._answers[STARTUP_FAILED])
        if STARTUP_COMPLETE in self._answers:
            self.outcome = "on"
            self._task.add_done_callback(self._ended_early)
        else:
            self._unsupported()

    def _unsupported(self) -> None:
        """The specification: "the server must continue but not send any lifespan events"."""
        error = _error_of(self._task)
        if self._mode == "on":
            if error:
                raise LoadError(f"the startup failed: {summary(error)}", application_trace(error))
            raise LoadError(f"the application returned from its lifespan without sending {STARTUP_COMPLETE!r}")
        self.outcome = f"unsupported ({summary(error) if error else 'it returned'})"
        if error and self._given:
            _say("the application raised when it was told to start; it is served without lifespan", error)

    async def shutdown(self, timeout: float) -> None:
        """Has the application shut down, if it supports that, and waits; failures are printed."""
        if not self._task or self._task.done():
            return
        if self.outcome != "on":
            self._task.cancel()
            return
        self._task.remove_done_callback(self._ended_early)
        self._stopping.set()
        try:
            await asyncio.wait_for(self._until_answered(), timeout)
        except asyncio.TimeoutError:
            _say(f"the application did not shut down within {timeout:g} s")
        self._report()

    def _report(self) -> None:
        error = _error_of(self._task)
        if SHUTDOWN_FAILED in self._answers:
            _say(f"the shutdown failed: {self._answers[SHUTDOWN_FAILED]}")
        elif error:
            _say("the application raised while it shut down", error)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except BaseException as error:
            forks.end_if_child(error)
            if isinstance(error, (SystemExit, KeyboardInterrupt)):
                raise RuntimeError(f"the application wants to exit: {summary(error)}") from error
            raise

    async def _until_answered(self) -> None:
        """Waits until the application has answered, or its task has ended without an answer."""
        answer = asyncio.ensure_future(self._answered.wait())
        try:
            await asyncio.wait((answer, self._task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            answer.cancel()

    async def _receive(self) -> dict:
        if self._given == 0:
            self._given = 1
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        if self._given == 1:
            self._given = 2
            return {"type": "lifespan.shutdown"}
        await asyncio.get_running_loop().create_future()  # no event follows
        raise AssertionError

    async def _send(self, message: dict) -> None:
        kind = message.get("type") if isinstance(message, dict) else message
        expected = [name for name in _EXPECTED[self._given] if not self._has_answered(self._given)]
        if kind not in expected:
            raise ProtocolError(f"the application sent {kind!r}; expected {_listed(expected)}")
        self._answers[kind] = str(message.get("message", ""))
        self._answered.set()

    def _has_answered(self, given: int) -> bool:
        return any(name in self._answers for name in _EXPECTED[given])

    def _ended_early(self, task: asyncio.Task) -> None:
        error = _error_of(task)
        if error:
            _say("the application's lifespan ended before the shutdown", error)


def _error_of(task: asyncio.Task) -> "BaseException | None":
    return task.exception() if task.done() and not task.cancelled() else None


def _failed(message: str) -> LoadError:
    """Frameworks put a whole traceback into the message: its last line says what failed."""
    lines = message.strip().splitlines()
    if not lines:
        return LoadError("the startup failed; the application gave no reason")
    return LoadError(f"the startup failed: {lines[-1]}", message if len(lines) > 1 else "")


def _listed(names: "list[str]") -> str:
    return " or ".join(repr(name) for name in names) or "nothing at all"


def _say(text: str, error: "BaseException | None" = None) -> None:
    print(f"sallyport: {text}", file=sys.stderr)
    if error:
        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
