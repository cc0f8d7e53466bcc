"""The event loop's end of the link (docs/link.md). Frames of one turn of the loop leave in one write."""

import asyncio
from collections import deque
from struct import Struct
from time import monotonic

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
    FrameReader,
)

# Bytes of collected frames that leave in the middle of a turn.
_MAX_COLLECTED = 262_144
# Finished responses, and seconds since the first frame was collected, after which they leave in the middle of a turn:
# more would leave the server idle meanwhile.
_MAX_FINISHED = 16
_HOLD_TIME = 0.001
# Seconds that a response's head waits for the body that it could leave with.
_HEAD_WAIT = 0.005

_pack = HEADER.pack
_count = COUNT.pack
# Length and stream of a frame, which come before its kind.
_pack_start = Struct("<II").pack
_ANSWER = bytes([ANSWER])
_RESPONSE = bytes([RESPONSE])


class LoopLink(FrameReader, asyncio.BufferedProtocol):
    """Cuts arriving bytes into frames, gives them to their streams, and collects the frames that the streams send.

    `owner` has `open(link, id, kind, payload)` for a request, `learn(number, payload)` for a common part of requests,
    `stop()`, `idle()` when the last stream is done, and `lost()` for the end of the server.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: object, watchdog: object) -> None:
        super().__init__()
        self.loop = loop
        self.streams: "dict[int, object]" = {}
        # True while the server is slow to read: streams send nothing.
        self.paused = False
        # Counts the writes, so that a stream can tell whether its frames are still here.
        self.batch = 0
        self.closed = asyncio.Event()
        # This process ends with requests under way: the server learns from its end that they are lost.
        self.ending = False
        self._owner = owner
        self._watchdog = watchdog
        self._transport = None
        self._out: "list[bytes]" = []
        self._size = 0
        # Whole responses among them.
        self._finished = 0
        # Whether `flush` is going to be called at the end of this turn, and since when (`monotonic`).
        self._flush_due = False
        self._since = 0.0
        # Of streams that wait for the transport, the longest first.
        self._turns: "deque[asyncio.Future]" = deque()
        # Streams whose heads wait for bodies.
        self._held: "list[object]" = []

    # Frames in.

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=4 * PIECE, low=PIECE)

    def get_buffer(self, _hint: int) -> memoryview:
        return self.room()

    def buffer_updated(self, size: int) -> None:
        self.filled(size)
        self._flush_due = True
        self._since = monotonic()
        if self._watchdog.asleep:
            self._watchdog.wake(self)
        while frame := self.parsed():
            self._frame(*frame)
        self.flush()

    def take(self, data: bytes) -> None:
        """Bytes that were read before the loop ran."""
        while data:
            room = self.room()
            size = min(len(room), len(data))
            room[:size] = data[:size]
            data = data[size:]
            self.buffer_updated(size)

    def connection_lost(self, _error: "Exception | None") -> None:
        self.closed.set()
        self._owner.lost()
        self.resume_writing()

    def _frame(self, kind: int, id: int, payload: "bytes | memoryview") -> None:
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
            self.broadcast(kind, payload)

    def broadcast(self, kind: int, payload: bytes = b"") -> None:
        for stream in list(self.streams.values()):
            stream.frame(kind, payload)

    # Frames out.

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        self._out.append(_pack(len(payload), id, kind))
        if payload:
            self._out.append(payload)
        self._collected(len(payload))

    def answer(self, id: int, head: bytes, body: bytes) -> int:
        """A whole response. Returns the place of its kind among the collected frames, for `finish`."""
        out = self._out
        place = len(out) + 1
        out += (_pack_start(4 + len(head) + len(body), id), _ANSWER, _count(len(head)), head, body)
        self._collected(len(body))
        return place

    def finish(self, id: int, batch: int = -1, place: int = 0) -> None:
        """The stream is done. An ANSWER that has not left yet becomes RESPONSE, which says so."""
        if batch == self.batch:
            self._out[place] = _RESPONSE
            self._finished += 1
        else:
            self.send(DONE, id)
        self.forget(id)
        if self._finished == _MAX_FINISHED or monotonic() - self._since > _HOLD_TIME:
            self._flush_in_turn()

    def forget(self, id: int) -> None:
        if self.streams.pop(id, None) and not self.streams:
            self._owner.idle()

    def hold(self, stream: object) -> None:
        """Sends the stream's head after a moment, unless its body comes first."""
        if not self._held:
            self.loop.call_later(_HEAD_WAIT, self._release)
        self._held.append(stream)

    def flush(self) -> None:
        self._flush_due = False
        out = self._out
        if not out:
            return
        self._out = []
        self._size = self._finished = 0
        self.batch += 1
        if not self.closed.is_set():
            self._transport.write(b"".join(out))

    async def close(self, timeout: float) -> None:
        """Sends the remaining frames, for `timeout` seconds at the most, and closes."""
        self.flush()
        self._transport.close()
        try:
            await asyncio.wait_for(self.closed.wait(), timeout)
        except asyncio.TimeoutError:
            self._transport.abort()

    def _collected(self, size: int) -> None:
        self._size += size
        if self._size > _MAX_COLLECTED:
            self._flush_in_turn()
        elif not self._flush_due:
            self._flush_due = True
            self._since = monotonic()
            self.loop.call_soon(self.flush)

    def _flush_in_turn(self) -> None:
        """In the middle of a turn; its end has a flush of its own."""
        flush_due = self._flush_due
        self.flush()
        self._flush_due = flush_due
        self._since = monotonic()

    def _release(self) -> None:
        held, self._held = self._held, []
        for stream in held:
            stream.release_head()

    # Flow control of the transport.

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._next_turn()

    @property
    def is_free(self) -> bool:
        """Whether the transport takes more, and nobody waits for that."""
        return not self.paused and not self._turns

    async def turn(self) -> None:
        """Waits until the transport takes more, and all that came before have sent a frame: none starves the others."""
        future = self.loop.create_future()
        self._turns.append(future)
        try:
            await future
        finally:
            self.loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        while self._turns and not self.paused:
            future = self._turns.popleft()
            if not future.done():
                future.set_result(None)  # it calls this again
                return
