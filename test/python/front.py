"""The front, as the tests play it: starts a worker as src/workers/worker.ts does and speaks frames to it."""

import contextlib
import json
import marshal
import os
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "..", "..", "python")
sys.path.insert(0, PROGRAM)

from sallyport import link  # noqa: E402

APPS = os.path.join(HERE, "..", "apps", "asgi")
KINDS = {number: name for name, number in link.FROM_WORKER.items()}
# The descriptor of the link in the worker.
LINK = 3
# Seconds for anything at all: generous, as the machine may be busy.
PATIENCE = 30


def _become(fd, wanted):
    os.dup2(fd, wanted)
    os.set_inheritable(wanted, True)


class Front:
    """One worker and the frames with it, by their names."""

    def __init__(self, app, **settings):
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(PATIENCE)
        self._link = link.Link(self.sock)
        self._kept = []
        self._together = None
        self._last_id = 0
        self._read_output = 0
        self._errors = tempfile.TemporaryFile()
        self._output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM],
            preexec_fn=lambda: _become(theirs.fileno(), LINK),
            pass_fds=(LINK,),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
        )
        theirs.close()
        self._begin(app, settings)

    def _begin(self, app, settings):
        init = {
            "app": app,
            "directory": APPS,
            "path": [],
            "threads": 1,
            "processes": 1,
            "constants": {},
            "interface": None,
            "lifespan": "auto",
            "loop": "auto",
        }
        self.send("INIT", 0, marshal.dumps({**init, **settings}, 2))

    def ready(self):
        """What READY says."""
        return json.loads(self.expect("READY", 0))

    def failure(self):
        """What FAILED says."""
        return json.loads(self.expect("FAILED", 0))

    def send(self, kind, stream, payload=b""):
        data = payload if isinstance(payload, bytes) else payload.encode()
        frame = link.HEADER.pack(len(data), stream, link.TO_WORKER[kind]) + data
        if self._together is None:
            self.sock.sendall(frame)
        else:
            self._together.append(frame)

    @contextlib.contextmanager
    def together(self):
        """What is sent in here arrives in one read."""
        self._together = []
        yield
        frames, self._together = self._together, None
        self.sock.sendall(b"".join(frames))

    def request(self, stream=1, **scope):
        """Sends a REQUEST with what a GET of / has, and what is given instead."""
        usual = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"test")],
            "client": ("192.0.2.1", 4711),
            "server": ("127.0.0.1", 80),
        }
        if scope.get("type") == "websocket":
            del usual["method"]
        self.send("REQUEST", stream, marshal.dumps({**usual, **scope}, 2))

    def websocket(self, stream=1, **scope):
        self.request(stream, **{"type": "websocket", "scheme": "ws", "subprotocols": [], **scope})

    def script(self, *steps, **scope):
        """A request for apps/asgi/script.py; gives its stream."""
        self._last_id += 1
        self.request(self._last_id, script=list(steps), **scope)
        return self._last_id

    def websocket_script(self, *steps, **scope):
        self._last_id += 1
        self.websocket(self._last_id, script=list(steps), **scope)
        return self._last_id

    def read(self, stream=None):
        """The next frame (of the stream) as (name, payload)."""
        for at, (kind, id, payload) in enumerate(self._kept):
            if stream is None or id == stream:
                del self._kept[at]
                return kind, payload
        while True:
            number, id, payload = self._link.read()
            if stream is None or id == stream:
                return KINDS[number], payload
            self._kept.append((KINDS[number], id, payload))

    def expect(self, kind, stream=1):
        got, payload = self.read(stream)
        if got != kind:
            raise AssertionError(f"expected {kind}, got {got}: {payload[:2000].decode('utf-8', 'replace')}")
        return payload

    def response(self, stream=1):
        """Status line, fields and body of a response in whatever frames it comes."""
        kind, payload = self.read(stream)
        if kind in ("RESPONSE", "ANSWER"):
            length = link.COUNT.unpack_from(payload)[0]
            head, body = payload[4 : 4 + length], payload[4 + length :]
            if kind == "ANSWER":
                self.expect("DONE", stream)
        elif kind == "HEAD":
            head, body = payload, self._pieces(stream)
        else:
            raise AssertionError(f"expected a response, got {kind}: {payload[:2000].decode('utf-8', 'replace')}")
        status, *lines = head[1:].split(b"\r\n")[:-1]
        return status.decode(), [tuple(line.split(b": ", 1)) for line in lines], body

    def _pieces(self, stream):
        body = b""
        while True:
            kind, payload = self.read(stream)
            if kind == "END":
                self.expect("DONE", stream)
                return body
            if kind != "CHUNK":
                raise AssertionError(f"expected CHUNK or END, got {kind}: {payload[:2000]}")
            body += payload
            self.send("CREDIT", stream, link.COUNT.pack(len(payload)))

    def abort(self, stream=1):
        """What ABORT says."""
        return json.loads(self.expect("ABORT", stream))

    def ping(self):
        """Returns once the worker's loop has come round, so that tasks have begun; frames that came before are kept."""
        for _ in range(2):
            self.send("PING", 0)
            self._kept_until("PONG")

    def unread(self, stream):
        """The names of the frames that have come and that nobody has read."""
        self.ping()
        return [kind for kind, id, _ in self._kept if id == stream]

    def _kept_until(self, wanted):
        while True:
            number, id, payload = self._link.read()
            if KINDS[number] == wanted and id == 0:
                return
            self._kept.append((KINDS[number], id, payload))

    def stop(self):
        """STOP, and the exit status."""
        self.send("STOP", 0)
        return self.process.wait(PATIENCE)

    def close_with(self, stream, code, reason=""):
        self.send("CLOSE", stream, code.to_bytes(2, "little") + reason.encode())

    def printed(self):
        """What the worker has printed on standard error so far."""
        return os.pread(self._errors.fileno(), 1 << 24, 0).decode()

    def said(self):
        """What the application has printed on standard output since this was asked last: lines of JSON."""
        data = os.pread(self._output.fileno(), 1 << 24, self._read_output)
        lines = data[: data.rfind(b"\n") + 1]
        self._read_output += len(lines)
        return [json.loads(line) for line in lines.splitlines()]

    def close(self):
        self.sock.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._errors.close()
        self._output.close()
