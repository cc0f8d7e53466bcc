"""The link: frames on one stream socket between the front and this worker (docs/link.md).

A frame is its payload's length, the stream it belongs to and its kind, then the payload. The same names, numbers and
limits stand in src/workers/link.ts; test/vectors/link.json pins the bytes for both.
"""

import socket
import struct

HEADER = struct.Struct("<IIB")
COUNT = struct.Struct("<I")

# Front to worker.
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
# Worker to front.
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

# What the first byte of a head says of its lines: there is a Content-Length, which a body in the same frame has;
# there is a Date; the application wants the connection closed.
HAS_LENGTH, HAS_DATE, CLOSES = 1, 2, 4

# Bytes of one direction of one stream that may be under way unasked.
WINDOW = 262_144
# Bytes of body in one frame at the most.
PIECE = 65_536
# Bytes of a head, of trailers and the like: no frame may have more than 4 MiB, and a small body goes with its head.
HEAD_LIMIT = 1_048_576
# What a WebSocket message costs of a window besides its bytes, so that empty ones cannot pile up.
MESSAGE_COST = HEADER.size
# Bytes that one read of the socket asks for; below the allocator's threshold for a mapping of its own.
_READ = 65_536

_unpack = HEADER.unpack_from
_pack = HEADER.pack


def _nobody(_total: int) -> None:
    pass


class Link:
    """Frames in, frames out. Reading is one thread's; `send` needs a lock where several threads send."""

    def __init__(self, sock: socket.socket) -> None:
        self._recv = sock.recv
        self._sendall = sock.sendall
        self._buffer = b""
        self._start = 0
        # Bytes read so far, and who is told of them.
        self.taken = 0
        self.took = _nobody

    def send(self, kind: int, stream: int, payload: bytes = b"") -> None:
        self._sendall(_pack(len(payload), stream, kind) + payload)

    def write(self, frame: bytes) -> None:
        """A frame that was packed already."""
        self._sendall(frame)

    def read(self) -> "tuple[int, int, bytes]":
        """The next frame as (kind, stream, payload). Raises EOFError when the front is gone."""
        while True:
            frame = self.parsed()
            if frame:
                return frame
            self.fill()

    def fill(self) -> None:
        """Waits for more, and takes it in. Raises EOFError when the front is gone."""
        self._fill(self._recv(_READ))

    def poll(self) -> bool:
        """Takes in what has arrived, without waiting; whether anything had."""
        try:
            data = self._recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        self._fill(data)
        return True

    @property
    def pending(self) -> bool:
        """Whether bytes are here that no one has read yet."""
        return self._start < len(self._buffer)

    def rest(self) -> bytes:
        """What was read beyond the frames that were asked for; it is the caller's now."""
        rest, self._buffer, self._start = self._buffer[self._start :], b"", 0
        return rest

    def parsed(self) -> "tuple[int, int, bytes] | None":
        """The next frame if it is here in full."""
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
            raise EOFError("the front is gone")
        self.taken += len(data)
        self.took(self.taken)
        rest = self._buffer[self._start :]
        self._buffer = rest + data if rest else data
        self._start = 0
