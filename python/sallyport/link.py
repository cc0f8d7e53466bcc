"""The link: frames on one stream socket between the server and this worker (docs/link.md).

A frame is its payload's length, the stream it belongs to and its kind, then the payload. The same names, numbers and
limits stand in src/workers/link.ts; test/vectors/link.json pins the bytes for both.
"""

import socket
import struct

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
}
INIT, REQUEST, BODY, BODY_END, CANCEL, CREDIT, STOP, TEXT, BINARY, CLOSE, PING, LEAVE, COMMON, REPEAT = range(1, 15)
READY, FAILED, RESPONSE, ANSWER, HEAD, CHUNK, END, DONE, ABORT, WANT = range(65, 75)
INFORM, FILE, ACCEPT, TEXT_OUT, BINARY_OUT, CLOSE_OUT, PONG, PRINTED, PREFETCH = range(75, 84)

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
# Bytes that one read of the socket asks for; below the allocator's threshold for a mapping of its own.
_READ = 65_536

_unpack = HEADER.unpack_from
_pack = HEADER.pack


class Link:
    """Frames in, frames out. One thread reads; several threads that send need a lock."""

    def __init__(self, sock: socket.socket) -> None:
        self._recv = sock.recv
        self._sendall = sock.sendall
        self._buffer = b""
        self._start = 0
        # Bytes read so far, and what is called with that number after each read.
        self.bytes_read = 0
        self.on_read = lambda _total: None

    def send(self, kind: int, stream: int, payload: bytes = b"") -> None:
        self._sendall(_pack(len(payload), stream, kind) + payload)

    def write(self, frame: bytes) -> None:
        """A frame that was packed already."""
        self._sendall(frame)

    def read(self) -> "tuple[int, int, bytes]":
        """The next frame as (kind, stream, payload). Raises EOFError when the server is gone."""
        while True:
            frame = self.parsed()
            if frame:
                return frame
            self.fill()

    def fill(self) -> None:
        """Waits for bytes. Raises EOFError when the server is gone."""
        self._fill(self._recv(_READ))

    def poll(self) -> bool:
        """Takes the bytes that have arrived, without waiting. Returns whether there were any."""
        try:
            data = self._recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        self._fill(data)
        return True

    @property
    def pending(self) -> bool:
        """Whether bytes have arrived that no frame was made of yet."""
        return self._start < len(self._buffer)

    def rest(self) -> bytes:
        """Hands over the bytes after the last frame."""
        rest, self._buffer, self._start = self._buffer[self._start :], b"", 0
        return rest

    def parsed(self) -> "tuple[int, int, bytes] | None":
        """The next frame if all of it has arrived."""
        buffer, start = self._buffer, self._start
        if len(buffer) - start < 9:
            return None
        length, stream, kind = _unpack(buffer, start)
        end = start + 9 + length
        if len(buffer) < end:
            return None
        self._start = end
        return kind, stream, buffer[start + 9 : end]

    def _fill(self, data: bytes) -> None:
        if not data:
            raise EOFError("the server is gone")
        self.bytes_read += len(data)
        self.on_read(self.bytes_read)
        rest = self._buffer[self._start :]
        self._buffer = rest + data if rest else data
        self._start = 0
