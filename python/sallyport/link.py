"""The link: frames on one stream socket between the server and this worker (docs/link.md).

A frame is its payload's length, the stream it belongs to and its kind, then the payload. The same names, numbers and
limits stand in src/workers/link.ts; test/vectors/link.json pins the bytes for both.
"""

import struct

# As type checkers know it: importing `typing`, or `socket` into embedded Python, takes milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

HEADER = struct.Struct("<IIB")
COUNT = struct.Struct("<I")

# Server to worker.
TO_WORKER = {
    "INIT": 1,
    "REQUEST": 2,
    "BODY": 3,
    "BODY_END": 4,
    "CANCEL": 5,
    "CREDIT": 6,
    "STOP": 7,
    "TEXT": 8,
    "BINARY": 9,
    "CLOSE": 10,
    "PING": 11,
    "LEAVE": 12,
    "COMMON": 13,
    "REPEAT": 14,
    "RECALL": 15,
    "MULTIPROCESS": 16,
    "UPGRADE": 17,
}
# Worker to server.
FROM_WORKER = {
    "READY": 65,
    "FAILED": 66,
    "RESPONSE": 67,
    "ANSWER": 68,
    "HEAD": 69,
    "CHUNK": 70,
    "END": 71,
    "DONE": 72,
    "ABORT": 73,
    "WANT": 74,
    "INFORM": 75,
    "FILE": 76,
    "ACCEPT": 77,
    "TEXT_OUT": 78,
    "BINARY_OUT": 79,
    "CLOSE_OUT": 80,
    "PONG": 81,
    "PRINTED": 82,
    "PREFETCH": 83,
    "RETURNED": 84,
    "SWITCHED": 85,
}
INIT, REQUEST, BODY, BODY_END, CANCEL, CREDIT, STOP = range(1, 8)
TEXT, BINARY, CLOSE, PING, LEAVE, COMMON, REPEAT, RECALL, MULTIPROCESS, UPGRADE = range(8, 18)
READY, FAILED, RESPONSE, ANSWER, HEAD, CHUNK, END, DONE, ABORT, WANT = range(65, 75)
INFORM, FILE, ACCEPT, TEXT_OUT, BINARY_OUT, CLOSE_OUT, PONG, PRINTED, PREFETCH, RETURNED, SWITCHED = range(75, 86)

# Flags in the first byte of a head: it has a Content-Length, which is that of a body in the same frame; it has a Date;
# the application wants the connection closed.
HAS_LENGTH, HAS_DATE, CLOSES = 1, 2, 4

# Bytes that may be sent in one direction of one stream before the receiver has granted more.
WINDOW = 262_144
# The most bytes of body in one frame.
PIECE = 65_536
# The most bytes of a head, or of trailers: a frame has 4 MiB at the most, and a small body shares that of its head.
HEAD_LIMIT = 1_048_576
# What a WebSocket message costs of a window besides its bytes, so that empty ones cannot pile up.
MESSAGE_COST = HEADER.size
# Bytes of memory that frames are read into, and how many of them one read asks for at least: room for several requests
# with bodies of PIECE bytes, so that the server can write the next ones while these are answered.
_MEMORY = 262_144
_READ = 65_536

_unpack = HEADER.unpack_from
_pack = HEADER.pack


class FrameReader:
    """Cuts arriving bytes into frames: `room` says where they go, `filled` how many have come.

    The memory is used again and again: to allocate as much for each read, and to join parts, costs more than to read.
    """

    def __init__(self) -> None:
        self._memory = bytearray(_MEMORY)
        self._view = memoryview(self._memory)
        self._start = self._end = 0
        # Bytes read so far, and what is called with that number after each read.
        self.bytes_read = 0
        self.on_read = lambda _total: None

    def room(self) -> memoryview:
        """Where the next bytes go. The payloads of requests that were read before it may be written over."""
        start, end = self._start, self._end
        if start == end:
            self._start = self._end = end = 0
            if len(self._memory) > _MEMORY:
                self._replace(_MEMORY)
        elif len(self._memory) - end < _READ:
            end = self._make_room()
        return self._view[end:]

    def filled(self, size: int) -> None:
        """`size` bytes have come. Raises EOFError if that is none: the server is gone."""
        if not size:
            raise EOFError("the server is gone")
        self._end += size
        self.bytes_read += size
        self.on_read(self.bytes_read)

    @property
    def pending(self) -> bool:
        """Whether bytes have arrived that no frame was made of yet."""
        return self._start < self._end

    def rest(self) -> bytes:
        """Hands over the bytes after the last frame."""
        rest = bytes(self._view[self._start : self._end])
        self._start = self._end = 0
        return rest

    def parsed(self) -> "tuple[int, int, bytes | memoryview] | None":
        """The next frame if all of it has arrived. The payload of a request is valid until the next call of `room`."""
        start = self._start
        left = self._end - start
        if left < 9:
            return None
        length, stream, kind = _unpack(self._memory, start)
        if left < 9 + length:
            return None
        start += 9
        self._start = end = start + length
        payload = self._view[start:end]
        if kind != REPEAT and kind != REQUEST:
            payload = bytes(payload)
        return kind, stream, payload

    def _make_room(self) -> int:
        """Moves an incomplete frame to the front, of larger memory if it needs that. Returns where it ends now."""
        start, end = self._start, self._end
        size = end - start
        needed = size + _READ
        if size >= 9:
            needed = max(needed, 9 + _unpack(self._memory, start)[0])
        partial = self._memory[start:end]
        if needed > len(self._memory):
            self._replace(needed)
        self._view[:size] = partial
        self._start, self._end = 0, size
        return size

    def _replace(self, size: int) -> None:
        self._memory = bytearray(size)
        self._view = memoryview(self._memory)


class Link(FrameReader):
    """Frames in, frames out, for one thread."""

    def __init__(self, sock: "socket.socket") -> None:
        from socket import MSG_DONTWAIT  # not at the top: embedded Python has no link

        super().__init__()
        self._no_wait = MSG_DONTWAIT
        self._recv_into = sock.recv_into
        self._sendall = sock.sendall

    def send(self, kind: int, stream: int, payload: bytes = b"") -> None:
        self._sendall(_pack(len(payload), stream, kind) + payload)

    def read(self) -> "tuple[int, int, bytes | memoryview]":
        """The next frame as (kind, stream, payload). Raises EOFError when the server is gone."""
        while True:
            frame = self.parsed()
            if frame:
                return frame
            self.fill()

    def fill(self) -> None:
        """Waits for bytes. Raises EOFError when the server is gone."""
        self.filled(self._recv_into(self.room()))

    def poll(self) -> bool:
        """Takes the bytes that have arrived, without waiting. Returns whether there were any."""
        try:
            size = self._recv_into(self.room(), 0, self._no_wait)
        except BlockingIOError:
            return False
        self.filled(size)
        return True
