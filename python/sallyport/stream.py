"""One exchange inside this worker, and the two ways of waiting for its frames.

`Inline` answers in the reading loop: one request at a time, no thread. `Shared` reads in the main thread and answers
in a fixed number of others. What an application may wait for is the same in both: body to read, credit to send.
"""

import threading
from collections import deque
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Callable

from .link import (
    BODY,
    BODY_END,
    CANCEL,
    COMMON,
    COUNT,
    CREDIT,
    DONE,
    HEADER,
    PREFETCH,
    REPEAT,
    REQUEST,
    STOP,
    WANT,
    WINDOW,
    Link,
)
from .outbox import Direct, Outbox

if TYPE_CHECKING:
    from .wsgi import Server

# Seconds for which answers wait for others to leave with them.
_HELD = 0.0005
# After so many seconds at work it is worth a look at what was cancelled meanwhile.
_LONG = 0.005
# Seconds of work that may wait here, and how many requests that can be.
_PREFETCH_SECONDS = 0.004
_PREFETCH_MOST = 64
# As src/workers/worker.ts has it before it is told.
_PREFETCH_FIRST = 16
# Requests for which the pace of those before them counts as much as their own.
_MEMORY = 16


class Disconnected(OSError):
    """The exchange is over on the other side: the client left, or the front gave up waiting."""


class Stream:
    """The frames of one exchange: body in against what we ask for, response out against what we are granted.

    `granted` is only written where frames are read, `spent` only where the application runs, so that
    two threads can share a stream without a lock.
    """

    # How each begins: of most streams nothing but the response is ever written.
    granted = WINDOW
    spent = 0
    cancelled = None
    pieces = None
    ended = False
    asked = 0

    def __init__(self, driver: "Inline | Shared", id: int) -> None:
        self.driver = driver
        self.id = id

    def receive(self, kind: int, payload: bytes) -> None:
        if kind == CREDIT:
            self.granted += COUNT.unpack(payload)[0]
        elif kind == BODY:
            self.pieces.append(payload)
        elif kind == BODY_END:
            self.ended = True
        elif kind == CANCEL:
            self.cancelled = payload.decode("utf-8", "replace") or "the client closed the connection"

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.driver.send(kind, self.id, payload)

    def hold(self, frame: bytes) -> None:
        """Sends a whole frame, together with others that follow in a moment."""
        self.driver.hold(frame)

    def body_piece(self) -> bytes:
        """The next piece of a streamed body; b"" at its end. Raises Disconnected when it will not be complete."""
        if self.pieces is None:
            self.pieces = deque()
        self._ask()
        while not self.pieces:
            if self.cancelled:
                raise Disconnected(self.cancelled)
            if self.ended:
                return b""
            self.driver.wait(self, self._has_body)
        piece = self.pieces.popleft()
        self.asked -= len(piece)
        return piece

    def take_credit(self, wanted: int) -> int:
        """How many bytes may be sent now, at least one; waits until there is room. Raises Disconnected."""
        self.driver.poll(self)
        while True:
            if self.cancelled:
                raise Disconnected(self.cancelled)
            room = self.granted - self.spent
            if room > 0:
                taken = min(wanted, room)
                self.spent += taken
                return taken
            self.driver.wait(self, self._has_room)

    def _ask(self) -> None:
        if not self.ended and self.asked <= WINDOW // 2:
            self.send(WANT, COUNT.pack(WINDOW - self.asked))
            self.asked = WINDOW

    def _has_body(self) -> bool:
        return bool(self.pieces or self.ended or self.cancelled)

    def _has_room(self) -> bool:
        return bool(self.cancelled or self.granted > self.spent)


class Inline:
    """Reads a request, answers it, reads the next."""

    def __init__(self, link: Link, outbox: "Outbox | Direct") -> None:
        self._link = link
        self._outbox = outbox
        self._waiting: "deque[tuple[int, int, bytes]]" = deque()
        self._pace = Pace()

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        self._outbox.send(HEADER.pack(len(payload), id, kind) + payload)

    def hold(self, frame: bytes) -> None:
        """A frame that may leave together with others, in a moment."""
        self._outbox.hold(frame)

    def serve(self, server: "Server") -> None:
        """Runs a stream for every request, until the front says STOP or is gone (EOFError)."""
        parsed, waiting, environ, open_stream = self._link.parsed, self._waiting, server.environ, server.open
        begin = self._outbox.begin
        began = flushed = monotonic()
        while True:
            frame = waiting.popleft() if waiting else parsed()
            if frame is None:
                self._rest(began)
                began = flushed = monotonic()
                continue
            kind, id, payload = frame
            if kind == REPEAT or kind == REQUEST:
                begin(id)
                open_stream(id).run(environ(kind, payload))
                self._pace.served += 1
                now = monotonic()
                if now - flushed > _HELD:
                    self._outbox.flush()
                    flushed = now
                    if now - began > _LONG:
                        self._look(began)
                        began = monotonic()
            elif kind == COMMON:
                server.learn(id, payload)
            elif kind == STOP:
                self._outbox.flush()
                return

    def _rest(self, began: float) -> None:
        """All that is here was answered."""
        self._keep_pace(began)
        self._outbox.flush()
        self._link.fill()

    def _keep_pace(self, began: float) -> None:
        ahead = self._pace.after(monotonic() - began)
        if ahead:
            self._outbox.hold(HEADER.pack(COUNT.size, 0, PREFETCH) + COUNT.pack(ahead))

    def _look(self, began: float) -> None:
        """After a while: who need not wait for the next one, and which of those to come are no longer wanted?"""
        self._keep_pace(began)
        self._outbox.flush()
        link = self._link
        more = True
        while more:
            while frame := link.parsed():
                self._sort(None, frame)
            more = link.poll()

    def ends_with(self, error: BaseException) -> bool:
        """SystemExit and KeyboardInterrupt are for the main thread, which is ours: the process ends."""
        return isinstance(error, (SystemExit, KeyboardInterrupt))

    def wait(self, stream: Stream, _ready: object) -> None:
        """Reads one frame; what is not for `stream` is kept for later."""
        self._outbox.flush()
        self._sort(stream, self._link.read())

    def poll(self, stream: Stream) -> None:
        """Takes in the frames that have already come."""
        link = self._link
        if link.poll() or link.pending:
            while frame := link.parsed():
                self._sort(stream, frame)

    def _sort(self, stream: "Stream | None", frame: "tuple[int, int, bytes]") -> None:
        kind, id, payload = frame
        if stream and id == stream.id:
            stream.receive(kind, payload)
        elif kind == CANCEL:
            self._drop(id)
        elif kind in (REQUEST, REPEAT, COMMON, STOP):
            self._waiting.append(frame)

    def _drop(self, id: int) -> None:
        for frame in self._waiting:
            if frame[1] == id:
                self._waiting.remove(frame)
                self.send(DONE, id)
                return


class Pace:
    """How quickly requests are answered here, and so how many may be sent ahead: the work of a moment, no more."""

    def __init__(self) -> None:
        # Requests answered since the last look.
        self.served = 0
        # Seconds for one of them: a mean in which the last ones count most.
        self._seconds = _PREFETCH_SECONDS / _PREFETCH_FIRST
        self._told = _PREFETCH_FIRST

    def after(self, seconds: float) -> int:
        """`served` requests have taken so long. The number for PREFETCH where it has changed, or 0."""
        served, self.served = self.served, 0
        if served == 0:
            return 0
        self._seconds += (seconds / served - self._seconds) * served / (served + _MEMORY)
        ahead = min(_PREFETCH_MOST, max(1, int(_PREFETCH_SECONDS / self._seconds)))
        ahead = 1 << (ahead.bit_length() - 1)  # in steps, so that it seldom changes
        if ahead == self._told:
            return 0
        self._told = ahead
        return ahead


class Shared:
    """Reads in the calling thread, answers in `threads` others."""

    def __init__(self, link: Link, threads: int) -> None:
        self._link = link
        self._threads = threads
        self._requests: "SimpleQueue[tuple[Stream, dict] | None]" = SimpleQueue()
        self._streams: "dict[int, Stream]" = {}
        self._news = threading.Condition()
        self._sending = threading.Lock()

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        with self._sending:
            self._link.send(kind, id, payload)

    def hold(self, frame: bytes) -> None:
        with self._sending:
            self._link.write(frame)

    def serve(self, server: "Server") -> None:
        """Like Inline.serve; at the end it waits for the requests under way."""
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._threads)]
        for thread in threads:
            thread.start()
        self._read(server)
        for _ in threads:
            self._requests.put(None)
        for thread in threads:
            thread.join()

    def ends_with(self, error: BaseException) -> bool:
        """As in any thread of Python's, SystemExit ends the request, not the process."""
        return False

    def wait(self, _stream: Stream, ready: "Callable[[], bool]") -> None:
        with self._news:
            self._news.wait_for(ready)

    def poll(self, stream: Stream) -> None:
        """Nothing to do: the reading thread has already delivered."""

    def _read(self, server: "Server") -> None:
        while True:
            kind, id, payload = self._link.read()
            if kind == REPEAT or kind == REQUEST:
                stream = self._streams[id] = server.open(id)
                # Here and now: what it refers to may be forgotten by the time that a thread is free.
                self._requests.put((stream, server.environ(kind, payload)))
            elif kind == COMMON:
                server.learn(id, payload)
            elif kind == STOP:
                return
            elif stream := self._streams.get(id):
                with self._news:
                    stream.receive(kind, payload)
                    self._news.notify_all()

    def _work(self) -> None:
        while request := self._requests.get():
            stream, environ = request
            if stream.cancelled:
                stream.send(DONE)  # while it waited
            else:
                stream.run(environ)
            del self._streams[stream.id]
