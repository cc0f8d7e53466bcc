"""One exchange inside this worker, and the two ways of waiting for its frames.

`Inline` answers in the reading loop: one request at a time, no thread. `Shared` reads in the main thread and answers
in a fixed number of others. What an application may wait for is the same in both: body to read, credit to send.
"""

import threading
from collections import deque
from queue import SimpleQueue
from time import monotonic
from typing import Callable

from .link import BODY, BODY_END, CANCEL, COUNT, CREDIT, DONE, REQUEST, STOP, WANT, WINDOW, Link

# A request longer than this (seconds) is worth a look at what was cancelled behind it.
_LONG = 0.005


class Disconnected(OSError):
    """The exchange is over on the other side: the client left, or the front gave up waiting."""


class Stream:
    """The frames of one exchange: body in against what we ask for, response out against what we are granted.

    `granted` is only written where frames are read, `spent` only where the application runs, so that
    two threads can share a stream without a lock.
    """

    __slots__ = ("id", "driver", "granted", "spent", "cancelled", "pieces", "ended", "asked")

    def __init__(self, driver: "Inline | Shared", id: int) -> None:
        self.driver = driver
        self.id = id
        self.granted = WINDOW
        self.spent = 0
        self.cancelled = None
        self.pieces = None
        self.ended = False
        self.asked = 0

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
        """How many octets may be sent now, at least one; waits until there is room. Raises Disconnected."""
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

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: "deque[tuple[int, int, bytes]]" = deque()
        self.send = link.send

    def serve(self, open_stream: "Callable[[int], Stream]") -> None:
        """Runs a stream for every request, until the front says STOP or is gone (EOFError)."""
        link, waiting = self._link, self._waiting
        while True:
            kind, id, payload = waiting.popleft() if waiting else link.read()
            if kind == REQUEST:
                began = monotonic()
                open_stream(id).run(payload)
                if monotonic() - began > _LONG:
                    self._look()
            elif kind == STOP:
                return

    def ends_with(self, error: BaseException) -> bool:
        """SystemExit and KeyboardInterrupt are for the main thread, which is ours: the process ends."""
        return isinstance(error, (SystemExit, KeyboardInterrupt))

    def wait(self, stream: Stream, _ready: object) -> None:
        """Reads one frame; what is not for `stream` is kept for later."""
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
        elif kind in (REQUEST, STOP):
            self._waiting.append(frame)

    def _look(self) -> None:
        """After a long request: which of those behind it are no longer wanted?"""
        link = self._link
        more = True
        while more:
            while frame := link.parsed():
                self._sort(None, frame)
            more = link.poll()

    def _drop(self, id: int) -> None:
        for frame in self._waiting:
            if frame[1] == id:
                self._waiting.remove(frame)
                self.send(DONE, id)
                return


class Shared:
    """Reads in the calling thread, answers in `threads` others."""

    def __init__(self, link: Link, threads: int) -> None:
        self._link = link
        self._threads = threads
        self._requests: "SimpleQueue[tuple[Stream, bytes] | None]" = SimpleQueue()
        self._streams: "dict[int, Stream]" = {}
        self._news = threading.Condition()
        self._sending = threading.Lock()

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        with self._sending:
            self._link.send(kind, id, payload)

    def serve(self, open_stream: "Callable[[int], Stream]") -> None:
        """Like Inline.serve; at the end it waits for the requests under way."""
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._threads)]
        for thread in threads:
            thread.start()
        self._read(open_stream)
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

    def _read(self, open_stream: "Callable[[int], Stream]") -> None:
        while True:
            kind, id, payload = self._link.read()
            if kind == REQUEST:
                stream = self._streams[id] = open_stream(id)
                self._requests.put((stream, payload))
            elif kind == STOP:
                return
            elif stream := self._streams.get(id):
                with self._news:
                    stream.receive(kind, payload)
                    self._news.notify_all()

    def _work(self) -> None:
        while request := self._requests.get():
            stream, payload = request
            if stream.cancelled:
                stream.send(DONE)  # while it waited
            else:
                stream.run(payload)
            del self._streams[stream.id]
