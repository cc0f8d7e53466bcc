"""One exchange inside this worker, and the driver of a WSGI application without threads.

`Inline` answers in the reading loop: one request at a time. threads.py has the other driver. In both an application may
wait for body to read and for credit to send.

Tested by test/python/test_prefetch.py.
"""

from collections import deque
from time import monotonic

from . import forks
from .link import (
    BODY,
    BODY_END,
    CANCEL,
    COMMON,
    COUNT,
    CREDIT,
    DONE,
    HEADER,
    MULTIPROCESS,
    PREFETCH,
    RECALL,
    REPEAT,
    REQUEST,
    RETURNED,
    STOP,
    WANT,
    WINDOW,
)

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .link import Link
    from .outbox import Direct, Outbox
    from .threads import Shared
    from .wsgi import Server

# Seconds that answers wait for others to leave with them.
_HOLD_TIME = 0.002
# Seconds of work between two checks for requests that were cancelled meanwhile.
_CHECK_INTERVAL = 0.005
# Seconds of work that may wait here, and the most requests for it.
_PREFETCH_SECONDS = 0.008
PREFETCH_MAX = 64
# The number that src/workers/capacity.ts begins with.
_PREFETCH_FIRST = 16
# Requests after which their mean counts as much as that of all before them.
_SMOOTHING = 16
_REQUESTS = (REQUEST, REPEAT)
# Frames that a worker keeps while it is inside a request.
_FOR_LATER = (*_REQUESTS, COMMON, MULTIPROCESS, STOP)


class Disconnected(OSError):
    """The exchange of `stream` is over on the other side: the client left, or the server gave up waiting."""

    def __init__(self, reason: str, stream: object = None) -> None:
        super().__init__(reason)
        self.stream = stream


class Stream:
    """The frames of one exchange: body in as far as we ask for it, response out as far as we are granted.

    Only the code that reads frames writes `granted`, and only the code that runs the application writes `spent`: so two
    threads can share a stream without a lock.
    """

    # As class attributes: most streams only ever send a response, and none of these is written.
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
        """Sends a whole frame, perhaps together with others that follow within a moment."""
        self.driver.hold(frame)

    def body_piece(self) -> bytes:
        """The next piece of a streamed body; b"" at its end. Raises Disconnected if it will never be complete."""
        if self.pieces is None:
            self.pieces = deque()
        self._ask()
        while not self.pieces:
            if self.cancelled:
                raise Disconnected(self.cancelled, self)
            if self.ended:
                return b""
            self.driver.wait(self, self._has_body)
        piece = self.pieces.popleft()
        self.asked -= len(piece)
        return piece

    def take_credit(self, wanted: int) -> int:
        """Waits for credit. Returns how many of `wanted` bytes may be sent, at least one. Raises Disconnected."""
        self.driver.poll(self)
        while True:
            if self.cancelled:
                raise Disconnected(self.cancelled, self)
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

    def __init__(self, link: "Link", outbox: "Outbox | Direct") -> None:
        self._link = link
        self._outbox = outbox
        self._waiting: "deque[tuple[int, int, bytes]]" = deque()
        self._prefetch = Prefetch()
        # When the present request was begun, or when it was last seen to what waits behind it.
        self._looked = 0.0

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        self._outbox.send(HEADER.pack(len(payload), id, kind) + payload)

    def hold(self, frame: bytes) -> None:
        """Sends a frame, perhaps together with others within a moment."""
        self._outbox.hold(frame)

    def start(self) -> None:
        """Nothing to do: the calling thread answers."""

    def serve(self, server: "Server") -> None:
        """Runs a stream for every request, until STOP. Raises EOFError when the server is gone."""
        parsed, waiting, environ, open_stream = self._link.parsed, self._waiting, server.environ, server.open
        begin = self._outbox.begin
        began = flushed = self._looked = monotonic()
        while True:
            frame = waiting.popleft() if waiting else parsed()
            if frame is None:
                self._wait_for_more(began)
                began = flushed = self._looked = monotonic()
                continue
            kind, id, payload = frame
            if kind == REPEAT or kind == REQUEST:
                begin(id)
                open_stream(id).run(environ(kind, payload))
                if forks.in_child:
                    forks.end()
                self._prefetch.served += 1
                now = self._looked = monotonic()
                if now - flushed > _HOLD_TIME:
                    self._outbox.flush()
                    flushed = now
                    if now - began > _CHECK_INTERVAL:
                        self._check(began)
                        began = monotonic()
            elif kind == COMMON:
                server.learn(id, payload)
            elif kind == MULTIPROCESS:
                server.become_multiprocess()
            elif kind == STOP:
                self._outbox.flush()
                return

    def _wait_for_more(self, began: float) -> None:
        """Every request that has arrived is answered."""
        self._update_prefetch(began)
        self._outbox.flush()
        self._link.fill()

    def _update_prefetch(self, began: float) -> None:
        count = self._prefetch.after(monotonic() - began)
        if count:
            self._outbox.hold(HEADER.pack(COUNT.size, 0, PREFETCH) + COUNT.pack(count))

    def _check(self, began: float) -> None:
        """After a while at work: sends finished answers, and drops waiting requests that were cancelled."""
        self._update_prefetch(began)
        self._outbox.flush()
        link = self._link
        more = True
        while more:
            while frame := link.parsed():
                self._sort(None, frame)
            more = link.poll()

    def ends_with(self, error: BaseException) -> bool:
        """The application runs in the main thread, where SystemExit and KeyboardInterrupt end the process."""
        return isinstance(error, (SystemExit, KeyboardInterrupt))

    def wait(self, stream: Stream, _ready: object) -> None:
        """Reads one frame, and keeps it for later if it is not for `stream`."""
        self._outbox.flush()
        self._sort(stream, self._link.read())

    def poll(self, stream: Stream) -> None:
        """Takes the frames that have already arrived."""
        link = self._link
        if link.poll() or link.pending:
            while frame := link.parsed():
                self._sort(stream, frame)

    def between_blocks(self, stream: Stream) -> None:
        """The next block may take any time: gives back what waits behind the response, if that has taken long."""
        now = monotonic()
        if now - self._looked <= _CHECK_INTERVAL:
            return
        self._looked = now
        self.poll(stream)
        if self._waiting:
            self._give_back()

    def _give_back(self) -> None:
        """The newest request first: the server puts each before all others that wait."""
        waiting = self._waiting
        kept = [frame for frame in waiting if frame[0] not in _REQUESTS]
        for kind, id, _ in reversed(waiting):
            if kind in _REQUESTS:
                self._outbox.hold(HEADER.pack(0, id, RETURNED))
        self._outbox.flush()
        waiting.clear()
        waiting.extend(kept)

    def _sort(self, stream: "Stream | None", frame: "tuple[int, int, bytes]") -> None:
        kind, id, payload = frame
        if kind in _FOR_LATER:  # first: the number of a COMMON is that of a part, not of a stream
            self._waiting.append((kind, id, bytes(payload)))  # it is read into memory that is used again
        elif stream and id == stream.id:
            stream.receive(kind, payload)
        elif kind == CANCEL:
            self._drop(id, DONE)
        elif kind == RECALL:
            self._drop(id, RETURNED)

    def _drop(self, id: int, answer: int) -> None:
        for frame in self._waiting:
            if frame[1] == id and frame[0] in _REQUESTS:
                self._waiting.remove(frame)
                self.send(answer, id)
                return


class Prefetch:
    """How many requests the server may send at once: the work of a moment, by the pace of the last ones."""

    def __init__(self, least: int = 1, first: int = _PREFETCH_FIRST) -> None:
        """`first` is what the server begins with; `least` it may always send, one for each thread."""
        # Requests answered since the last measurement.
        self.served = 0
        # Seconds for one request: a mean in which the last ones count most.
        self._seconds = _PREFETCH_SECONDS / first
        self._least = least
        self._count = first

    def after(self, seconds: float) -> int:
        """`served` requests have taken `seconds`. Returns the number for PREFETCH if it has changed, or else 0."""
        served, self.served = self.served, 0
        if served == 0:
            return 0
        self._seconds += (seconds / served - self._seconds) * served / (served + _SMOOTHING)
        count = min(PREFETCH_MAX, max(1, int(_PREFETCH_SECONDS / self._seconds)))
        count = max(self._least, 1 << (count.bit_length() - 1))  # a power of two, so that it seldom changes
        if count == self._count:
            return 0
        self._count = count
        return count
