"""A WSGI response in embedded mode: sent step by step, as no call may wait for a client.

Tested by test/embedded/bodies.test.ts.
"""

import io

from .. import wsgi
from ..failures import abort_payload
from ..link import ABORT, CHUNK, DONE, HEADER
from ..stream import Disconnected

# Bytes beyond its credit that an application may write() into memory within one step; more go into a file.
_WRITE_BUFFER = 1_048_576

_pack = HEADER.pack
_unpack = HEADER.unpack_from


class Response(wsgi.Response):
    """A response whose blocks are asked for one by one, as credit allows."""

    # The blocks that the application has still to yield; None once it has ended.
    blocks = None
    # Frames in a file, which leave before the next block; None while there are none.
    spill = None
    # Whether it waits in the driver's queue for its next step.
    scheduled = False
    # Why frames of the spill are missing: nothing may follow them.
    _failure = None

    @property
    def complete(self) -> bool:
        """All of it has been sent: the application is only cleaning up."""
        return self._started and not self._open and not self.spill

    @property
    def runnable(self) -> bool:
        return bool(self.cancelled or self.complete or self.granted > self.spent)

    def take_credit(self, wanted: int) -> int:
        """Gives all at once: a block leaves whole, and the next one waits for credit instead."""
        if self.cancelled:
            raise Disconnected(self.cancelled, self)
        if not self.spill:
            self.spent += wanted
        return wanted

    def _gathers(self, _size: int) -> bool:
        return False

    def write(self, data: bytes) -> None:
        if not self.spill and self.spent + len(data) - self.granted > _WRITE_BUFFER:
            self.spill = _Spill()
        wsgi.Response.write(self, data)

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.hold(_pack(len(payload), self.id, kind) + payload)

    def hold(self, frame: bytes) -> None:
        if self.spill:
            self.spill.write(frame[8], self.id, frame[9:])
        elif self._failure and frame[8] not in (ABORT, DONE):
            raise self._failure
        else:
            self.driver.hold(frame)

    def _end_and_done(self) -> None:
        """As two frames: `hold` looks at the kind of each."""
        self._end()
        self.hold(_pack(0, self.id, DONE))

    def replay(self) -> None:
        """Sends one frame from the file; after the last one, the application may go on."""
        spill = self.spill
        frame = None if self.cancelled else spill.read()
        if frame:
            kind, payload = frame
            self.driver.send(kind, self.id, payload)
            self.spent += len(payload) if kind == CHUNK else 0
            return
        spill.close()
        self.spill = None
        self._failure = spill.failure
        if spill.last:
            self.send(*spill.last)

    def end(self) -> None:
        """The server stops: closes what the application has returned, wherever that is."""
        from inspect import GEN_CREATED, getgeneratorstate  # not at the top: it takes milliseconds

        self.cancelled = self.cancelled or "the server stops"
        if self.spill:
            self.replay()
        if self.blocks:
            if getgeneratorstate(self.blocks) == GEN_CREATED:
                next(self.blocks, None)  # closing what has not begun runs nothing of it
            self.blocks.close()


class _Spill:
    """Frames that write() makes faster than they can leave, in a file.

    When the disk is full, that frame and all later ones are missing: the response is cut there.
    """

    def __init__(self) -> None:
        self._file = None
        self._reader = None
        self.failure = None
        # Kind and payload of the frame that ends the stream; it must not need room on the disk.
        self.last = None

    def write(self, kind: int, id: int, payload: bytes) -> None:
        """Raises OSError when the disk is full, and from then on."""
        if kind == DONE and self.failure:
            kind, payload = ABORT, abort_payload(self.failure)  # the application ignored the failure
        if kind == DONE or kind == ABORT:
            self.last = (kind, payload)
            return
        if self.failure:
            raise self.failure
        try:
            self._append(_pack(len(payload), id, kind) + payload)
        except OSError as error:
            self.failure = error
            raise

    def read(self) -> "tuple[int, bytes] | None":
        """Kind and payload of the next frame; None after the last one that is whole."""
        if not self._file:
            return None
        if not self._reader:
            self._file.seek(0)
            self._reader = io.BufferedReader(self._file)
        header = self._reader.read(HEADER.size)
        if len(header) < HEADER.size:
            return None
        length, _, kind = _unpack(header)
        payload = self._reader.read(length)
        return None if len(payload) < length else (kind, payload)

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _append(self, frame: bytes) -> None:
        if not self._file:
            from tempfile import TemporaryFile  # not at the top: it takes milliseconds, and few responses need it

            self._file = TemporaryFile(buffering=0)
        rest = memoryview(frame)
        while rest:
            rest = rest[self._file.write(rest) :]
