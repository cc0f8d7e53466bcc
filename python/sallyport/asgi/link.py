"""The event loop's end of the link (docs/link.md). What is sent in one turn of the loop leaves in one write."""

import asyncio
from struct import Struct
from typing import Callable

from ..link import (
    ANSWER,
    CANCEL,
    COMMON,
    COUNT,
    DONE,
    HEADER,
    LEAVE,
    PIECE,
    PING,
    PONG,
    REPEAT,
    REQUEST,
    RESPONSE,
    STOP,
)

# Frames collected beyond this size leave at once, in the middle of a turn.
_COLLECTED = 262_144
# So many finished responses leave at once, so that front and worker are both at work.
_TOGETHER = 8
# Seconds that a response's head waits for the body that it could leave with.
_HEAD_WAIT = 0.005

_pack = HEADER.pack
_unpack = HEADER.unpack_from
_count = COUNT.pack
# Length and stream of a frame: what stands before the kind.
_pack_start = Struct("<II").pack
_ANSWER = bytes([ANSWER])
_RESPONSE = bytes([RESPONSE])


class LoopLink(asyncio.Protocol):
    """Cuts what arrives into frames, gives them to their streams, and collects what the streams send.

    `owner` has `open(link, id, kind, payload)` for a request, `learn(number, payload)` for what several have in common,
    `stop()`, and `lost()` for the end of the front.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: object, watchdog: object) -> None:
        self.loop = loop
        self.streams: "dict[int, object]" = {}
        # True while the front is slower than we are: nobody sends.
        self.paused = False
        # Bytes read so far, and who is told of them.
        self.taken = 0
        self.took: "Callable[[int], None]" = lambda _total: None
        # Counts the writes, so that a stream can tell whether what it sent is still here.
        self.batch = 0
        self.closed = asyncio.Event()
        self._owner = owner
        self._watchdog = watchdog
        self._transport = None
        self._rest = b""
        self._out: "list[bytes]" = []
        self._size = 0
        # Whole responses among it.
        self._finished = 0
        # Whether somebody will flush when this turn is over.
        self._due = False
        # Streams whose heads wait for bodies.
        self._held: "list[object]" = []

    # What arrives.

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=4 * PIECE, low=PIECE)

    def data_received(self, data: bytes) -> None:
        self.taken += len(data)
        self.took(self.taken)
        if self._rest:
            data = self._rest + data
        self._due = True
        if self._watchdog.asleep:
            self._watchdog.wake(self)
        start, size = 0, len(data)
        while size - start >= 9:
            length, id, kind = _unpack(data, start)
            end = start + 9 + length
            if end > size:
                break
            self._frame(kind, id, data[start + 9 : end])
            start = end
        self._rest = data[start:]
        self.flush()

    def connection_lost(self, _error: "Exception | None") -> None:
        self.closed.set()
        self._owner.lost()
        self.resume_writing()

    def _frame(self, kind: int, id: int, payload: bytes) -> None:
        if kind == REPEAT or kind == REQUEST:
            self._owner.open(self, id, kind, payload)
        elif kind == COMMON:
            self._owner.learn(id, payload)
        elif id:
            stream = self.streams.get(id)
            if stream:
                stream.frame(kind, payload)
        elif kind == PING:
            self.send(PONG, 0)
        elif kind == STOP:
            self._owner.stop()
        elif kind == LEAVE or kind == CANCEL:
            self.tell_all(kind, payload)

    def tell_all(self, kind: int, payload: bytes = b"") -> None:
        for stream in list(self.streams.values()):
            stream.frame(kind, payload)

    # What leaves.

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        self._out.append(_pack(len(payload), id, kind))
        if payload:
            self._out.append(payload)
        self._collected(len(payload))

    def answer(self, id: int, head: bytes, body: bytes) -> int:
        """A whole response; gives the place of its kind, for `finish`."""
        out = self._out
        place = len(out) + 1
        out += (_pack_start(4 + len(head) + len(body), id), _ANSWER, _count(len(head)), head, body)
        self._collected(len(body))
        return place

    def finish(self, id: int, batch: int = -1, place: int = 0) -> None:
        """The stream is done. An answer that has not left yet says so itself."""
        if batch == self.batch:
            self._out[place] = _RESPONSE
            self._finished += 1
        else:
            self.send(DONE, id)
        self.forget(id)
        if self._finished == _TOGETHER:
            self._flush_in_turn()

    def forget(self, id: int) -> None:
        if self.streams.pop(id, None) and not self.streams:
            self._owner.idle()

    def hold(self, stream: object) -> None:
        """Has the stream's head leave in a moment, should its body not come first."""
        if not self._held:
            self.loop.call_later(_HEAD_WAIT, self._release)
        self._held.append(stream)

    def flush(self) -> None:
        self._due = False
        out = self._out
        if not out:
            return
        self._out = []
        self._size = self._finished = 0
        self.batch += 1
        if not self.closed.is_set():
            self._transport.write(b"".join(out))

    async def close(self, timeout: float) -> None:
        """Sends what is left, for `timeout` seconds at the most, and closes."""
        self.flush()
        self._transport.close()
        try:
            await asyncio.wait_for(self.closed.wait(), timeout)
        except asyncio.TimeoutError:
            self._transport.abort()

    def _collected(self, size: int) -> None:
        self._size += size
        if self._size > _COLLECTED:
            self._flush_in_turn()
        elif not self._due:
            self._due = True
            self.loop.call_soon(self.flush)

    def _flush_in_turn(self) -> None:
        """What was collected leaves; there will be more when this turn is over."""
        due = self._due
        self.flush()
        self._due = due

    def _release(self) -> None:
        held, self._held = self._held, []
        for stream in held:
            stream.release_head()

    # The transport's word on how much it holds.

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        for stream in list(self.streams.values()):
            stream.wake()
