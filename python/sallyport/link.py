"""The link: frames on one stream socket between the front and this worker (docs/link.md).

A frame is its payload's length, the stream it belongs to and its kind, then the payload. The same names, numbers and
limits stand in src/workers/link.ts; test/vectors/link.json pins the bytes for both.
"""

import socket
import struct

HEADER = struct.Struct("<IIB")
COUNT = struct.Struct("<I")

# Front to worker.
INIT, REQUEST, BODY, BODY_END, CANCEL, CREDIT, STOP = range(1, 8)
# Worker to front.
READY, FAILED, RESPONSE, ANSWER, HEAD, CHUNK, END, DONE, ABORT, WANT = range(65, 75)

# Octets of one direction of one stream that may be under way unasked.
WINDOW = 262_144
# Octets of body in one frame at the most.
PIECE = 65_536
# Octets that one read of the socket asks for; below the allocator's threshold for a mapping of its own.
_READ = 65_536

_unpack = HEADER.unpack_from
_pack = HEADER.pack


class Link:
    """Frames in, frames out. Reading is one thread's; `send` needs a lock where several threads send."""

    def __init__(self, sock: socket.socket) -> None:
        self._recv = sock.recv
        self._sendall = sock.sendall
        self._buffer = b""
        self._start = 0

    def send(self, kind: int, stream: int, payload: bytes = b"") -> None:
        self._sendall(_pack(len(payload), stream, kind) + payload)

    def read(self) -> "tuple[int, int, bytes]":
        """The next frame as (kind, stream, payload). Raises EOFError when the front is gone."""
        while True:
            frame = self.parsed()
            if frame:
                return frame
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
        """Whether octets are here that no one has read yet."""
        return self._start < len(self._buffer)

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
        rest = self._buffer[self._start :]
        self._buffer = rest + data if rest else data
        self._start = 0
