"""The worker inside the server process: the frames of the link (docs/link.md), carried by calls instead of a socket.

The front writes frames into one piece of memory and calls `call`; what the application answers is in the other piece
when the call returns. A call runs requests up to their first block and has those that are under way give one more, in
turn, until two milliseconds are over: the front's event loop waits for no more than that. A response that is complete
comes to its end at once, so that nothing of it is held.
"""

import atexit
import ctypes
import faulthandler
import io
import json
import os
import resource
import signal
import sys
import traceback
import warnings
from collections import OrderedDict, deque
from itertools import count, takewhile
from marshal import loads
from tempfile import TemporaryFile
from time import perf_counter

from . import wsgi
from .failures import abort_payload, application_trace, failed_payload, summary
from .link import ABORT, CANCEL, CHUNK, COMMON, DONE, FAILED, HEADER, INIT, PRINTED, READY, REPEAT, REQUEST, STOP
from .loader import LoadError, interface_of, load

# What `call` is told besides the size of what was written.
_MORE_COMES, _FETCH, _STEP = 1, 2, 4
# What it returns besides the size of what is there.
_MORE_IS_HERE, _RUNNABLE = 1 << 30, 1 << 29
# Seconds for which one call works before the front has its turn.
_TURN = 0.002
# Steps that an application may take after its response is complete, before others have their turn.
_TIDYING = 100
# Responses that may be open at once.
_OPEN = 1024
# Bytes beyond its credit that an application may write() into memory within one step; what follows waits in a file.
_WRITTEN = 1_048_576
# Bytes of the stack that may be in use when `start` is called.
_NEAR = 65_536
# Bytes of output without an end of line that are kept for it.
_LINE = 16_384

_pack = HEADER.pack
_unpack = HEADER.unpack_from
_CALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int)


class Memory:
    """A piece of memory of the front's."""

    def __init__(self, address: int, size: int) -> None:
        self.view = memoryview((ctypes.c_char * size).from_address(address)).cast("B")


class Embedded:
    """One application in the server process: the driver of its streams (as Inline and Shared are in a worker)."""

    def __init__(self, received: Memory, sent: Memory) -> None:
        self._received = received.view
        self._sent = sent.view
        self._partial = b""
        self._out = deque()
        self._streams = {}
        # Requests that have not begun, by their streams.
        self._waiting = OrderedDict()
        # Streams whose next block may be asked for, in turn.
        self._runnable = deque()
        self._server = None
        self._process = os.getpid()
        self._entry = _CALL(self._call)

    @property
    def address(self) -> int:
        return ctypes.cast(self._entry, ctypes.c_void_p).value

    # What streams ask of a driver.

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        self._out.append(_pack(len(payload), id, kind) + payload)

    def hold(self, frame: bytes) -> None:
        self._out.append(frame)

    def poll(self, _stream: "Response") -> None:
        pass

    def ends_with(self, _error: BaseException) -> bool:
        """SystemExit ends the request: the process is not the application's to end."""
        return False

    # The front's call.

    def _call(self, size: int, flags: int) -> int:
        try:
            if size:
                data = self._partial + bytes(self._received[:size])
                if flags & _MORE_COMES:
                    self._partial = data
                    return 0
                self._partial = b""
                self._frames(data)
                self._work()
            elif flags & _STEP:
                self._work()
            if self._process != os.getpid():
                os._exit(1)  # a fork of the application's that came back here: there is no server in it
            return self._deliver()
        except BaseException as error:  # of ours: nothing of the application's comes so far
            sys.__stderr__.write(f"sallyport: {error!r}\n")
            return -1

    def _frames(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            length, id, kind = _unpack(data, start)
            end = start + 9 + length
            self._frame(kind, id, data[start + 9 : end])
            start = end

    def _frame(self, kind: int, id: int, payload: bytes) -> None:
        if kind == REPEAT or kind == REQUEST:
            self._waiting[id] = self._server.environ(kind, payload)
        elif kind == COMMON:
            self._server.learn(id, payload)
        elif kind == INIT:
            self._prepare(loads(payload))
        elif kind == STOP:
            _end()
            self.leave()
        elif kind == CANCEL and self._forget(id):
            pass
        elif id in self._streams:
            stream = self._streams[id]
            stream.receive(kind, payload)
            self._wake(stream)

    def _forget(self, id: int) -> bool:
        """A request whose client left before it began."""
        if self._waiting.pop(id, None) is None:
            return False
        self.send(DONE, id)
        return True

    def _work(self) -> None:
        """What is under way and what has not begun, by turns: neither piles up behind the other."""
        end = perf_counter() + _TURN
        while self._runnable or self._waiting:
            if self._runnable:
                self._step()
            if self._waiting:
                self._begin(*self._waiting.popitem(last=False))
            if perf_counter() > end:
                return

    def _begin(self, id: int, environ: dict) -> None:
        stream = Response(self, id, self._server)
        stream.blocks = stream.begin(environ)
        if stream.blocks or stream.spill:
            self._streams[id] = stream
            self._advance(stream)

    def _wake(self, stream: "Response") -> None:
        if stream.may_go_on and not stream.in_turn:
            stream.in_turn = True
            self._runnable.append(stream)

    def _step(self) -> None:
        """One block of the next stream whose turn it is."""
        stream = self._runnable.popleft()
        stream.in_turn = False
        self._advance(stream)

    def _advance(self, stream: "Response") -> None:
        """A frame that waits in the stream's file, or else the application's next block."""
        if stream.spill:
            stream.replay()
        else:
            try:
                next(stream.blocks)
                for _ in range(_TIDYING):
                    if not stream.complete:
                        break
                    next(stream.blocks)
            except StopIteration:
                stream.blocks = None
        if stream.blocks or stream.spill:
            self._wake(stream)
        else:
            del self._streams[stream.id]

    def _deliver(self) -> int:
        """Puts what is to be sent, as much as there is room for, where the front reads it."""
        runnable = _RUNNABLE if self._runnable or self._waiting else 0
        out = self._out
        if not out:
            return runnable
        data = out.popleft() if len(out) == 1 else self._joined()
        size = len(self._sent)
        if len(data) <= size:
            size = len(data)
            self._sent[:size] = data
            return size | runnable
        self._sent[:] = data[:size]
        out.appendleft(data[size:])
        return size | _MORE_IS_HERE | runnable

    def _joined(self) -> bytes:
        """What threads of the application's print meanwhile stays for the next time."""
        out = self._out
        return b"".join([out.popleft() for _ in range(len(out))])

    # The beginning.

    def _prepare(self, settings: dict) -> None:
        try:
            self._server = _server(self, settings)
        except LoadError as error:
            return self._failed(error.message, error.trace)
        except BaseException as error:
            return self._failed(summary(error), application_trace(error))
        ready = {"pid": os.getpid(), "python": sys.version.split()[0], "interface": "wsgi", "open": _most_open()}
        self.send(READY, 0, json.dumps(ready).encode())

    def _failed(self, message: str, trace: str) -> None:
        self.send(FAILED, 0, failed_payload(message, trace))
        self.leave()

    def leave(self) -> None:
        """What is printed from now on is for the log of another application, if there is one."""
        if self in _present:
            _present.remove(self)


class _Spill:
    """What was written faster than it can leave: whole frames, in a file.

    A frame for which the disk has no room is missing, and so is all that follows it: the response is cut there.
    """

    def __init__(self) -> None:
        self._file = None
        self._reader = None
        self.failure = None
        # The frame that ends the stream, which needs no room on the disk: kind and payload.
        self.last = None

    def write(self, kind: int, id: int, payload: bytes) -> None:
        """Raises OSError, now and ever after, when the disk has no room."""
        if kind == DONE and self.failure:
            kind, payload = ABORT, abort_payload(self.failure)  # the application went on as if nothing were missing
        if kind == DONE or kind == ABORT:
            self.last = (kind, payload)
            return
        if self.failure:
            raise self.failure
        try:
            self._append(_pack(len(payload), id, kind) + payload)
        except OSError as error:
            self.failure = error
            raise

    def read(self) -> "tuple[int, bytes] | None":
        """The next frame, as kind and payload; None after the last one that the disk had room for."""
        if not self._file:
            return None
        if not self._reader:
            self._file.seek(0)
            self._reader = io.BufferedReader(self._file)
        header = self._reader.read(HEADER.size)
        if len(header) < HEADER.size:
            return None
        length, _, kind = _unpack(header)
        payload = self._reader.read(length)
        return None if len(payload) < length else (kind, payload)

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _append(self, frame: bytes) -> None:
        if not self._file:
            self._file = TemporaryFile(buffering=0)
        rest = memoryview(frame)
        while rest:
            rest = rest[self._file.write(rest) :]


class Response(wsgi.Response):
    """A response whose blocks are asked for one by one, so that nobody ever waits inside a call."""

    # What the application has still to yield; None once it has ended.
    blocks = None
    # What was written faster than it can leave: whole frames, in a file.
    spill = None
    # Why a part of what was written is missing: nothing may follow it.
    _lost = None
    # Whether it stands among those whose next block may be asked for.
    in_turn = False

    @property
    def complete(self) -> bool:
        """All of it has been sent: what the application does now is tidying up."""
        return self._started and not self._open and not self.spill

    @property
    def may_go_on(self) -> bool:
        return bool(self.cancelled or self.granted > self.spent)

    def take_credit(self, wanted: int) -> int:
        """A block goes as a whole: the next one waits until there is room."""
        if self.cancelled:
            raise wsgi.Disconnected(self.cancelled)
        if not self.spill:
            self.spent += wanted
        return wanted

    def write(self, data: bytes) -> None:
        if not self.spill and self.spent + len(data) - self.granted > _WRITTEN:
            self.spill = _Spill()
        wsgi.Response.write(self, data)

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.hold(_pack(len(payload), self.id, kind) + payload)

    def hold(self, frame: bytes) -> None:
        if self.spill:
            self.spill.write(frame[8], self.id, frame[9:])
        elif self._lost and frame[8] not in (ABORT, DONE):
            raise self._lost
        else:
            self.driver.hold(frame)

    def _end_and_done(self) -> None:
        """Nothing is gained by one frame less here, and `hold` looks at each."""
        self._end()
        self.hold(_pack(0, self.id, DONE))

    def replay(self) -> None:
        """Sends one frame from the file; after the last one, the application may go on."""
        spill = self.spill
        frame = None if self.cancelled else spill.read()
        if frame:
            kind, payload = frame
            self.driver.send(kind, self.id, payload)
            self.spent += len(payload) if kind == CHUNK else 0
            return
        spill.close()
        self.spill = None
        self._lost = spill.failure
        if spill.last:
            self.send(*spill.last)


class _Printed(io.RawIOBase):
    """Standard output or standard error of the application: lines for the server's log."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: bytes) -> int:
        *lines, rest = (self._rest + bytes(data)).split(b"\n")
        if len(rest) > _LINE:
            lines.append(rest)
            rest = b""
        self._rest = rest
        for line in lines:
            if len(line) > _LINE:
                line = b"%s... (%d bytes more)" % (line[:_LINE], len(line) - _LINE)
            for application in _present[:1]:
                application.send(PRINTED, self._descriptor, line)
        return len(data)


def _server(driver: Embedded, settings: dict) -> wsgi.Server:
    for place in reversed([*settings["path"], settings["directory"]]):
        if place not in sys.path:
            sys.path.insert(0, place)
    os.environ.update(settings["env"])
    name = settings["app"]
    sys.argv = [name]
    # Nothing here can end an import that hangs; where it stands is told, whoever may then end the process.
    faulthandler.dump_traceback_later(settings["startTimeout"] / 1000, file=sys.__stderr__ or 2)
    try:
        app = load(name)
    finally:
        faulthandler.cancel_dump_traceback_later()
    interface = settings["interface"] or interface_of(app)
    if interface != "wsgi":
        raise LoadError(f"{name} is an ASGI application; embedded mode is WSGI's, serve it in daemon mode")
    return wsgi.Server(app, driver, settings["constants"], 1, settings["processes"])


def _most_open() -> int:
    """Each open response may hold a file; most of those that this process may open are for connections."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _OPEN if limit == resource.RLIM_INFINITY else min(_OPEN, max(1, limit // 4))


# All that were ever started: the front may call them as long as it lives. And those that have not ended.
_applications: "list[Embedded]" = []
_present: "list[Embedded]" = []


def start(received: int, received_size: int, sent: int, sent_size: int, entry: int, stack: int) -> None:
    """Called by the front once for each application: makes its driver, and tells the address of its `call`.

    `stack` is the size of the stack on which the front calls.
    """
    if not _applications:
        _settle_in()
        _tell_of_stack(stack)
    application = Embedded(Memory(received, received_size), Memory(sent, sent_size))
    _applications.append(application)
    _present.append(application)
    ctypes.c_uint64.from_address(entry).value = application.address


def _settle_in() -> None:
    """What is different in a process of the front."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = io.TextIOWrapper(_Printed(descriptor), "utf-8", "backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
    signal.signal = _refused
    if hasattr(os, "_create_environ"):  # os.reload_environ()
        os._create_environ = _environment
    faulthandler.enable(sys.__stderr__ or 2)


def _environment() -> "dict[bytes, bytes]":
    """As it is now. Python itself would look at what it was shown at the start (src/embedded/environment.ts)."""
    lines = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    found = {}
    for line in takewhile(bool, map(lines.__getitem__, count())):
        name, _, value = line.partition(b"=")
        found.setdefault(name, value)
    return found


def _tell_of_stack(size: int) -> None:
    """The front calls on a stack of its own, not on the thread's.

    CPython 3.14 and newer watch the stack by its address: there they would take it for exhausted, and keep what is to
    be freed for a better moment that never comes. They can be told (3.14.1; what 3.14.0 makes of it cannot be helped).
    """
    if not hasattr(ctypes.pythonapi, "PyUnstable_ThreadState_SetStackProtection"):
        return
    here = _place_on_stack()
    if not here:
        return
    current = ctypes.PYFUNCTYPE(ctypes.c_void_p)(("PyThreadState_Get", ctypes.pythonapi))
    protect = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(
        ("PyUnstable_ThreadState_SetStackProtection", ctypes.pythonapi)
    )
    # Somewhere near its upper end we are; less than all of it is claimed.
    protect(current(), here - size + 2 * _NEAR, size - _NEAR)


def _place_on_stack() -> int:
    """An address inside the present stack: that of a variable of a C function; 0 where there is no such function."""
    found = []
    visit = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    walk = getattr(ctypes.CDLL(None), "dl_iterate_phdr", None)
    if walk:
        walk(visit(lambda address, _size, _data: found.append(address) or 1), None)
    return found[0] if found else 0


def _refused(number: int, _handler: object) -> object:
    """As under mod_wsgi: the signals of this process are the server's."""
    warnings.warn(f"signal {number} is the server's in embedded mode; the handler is not registered", stacklevel=2)
    return signal.getsignal(number)


def _end() -> None:
    try:
        atexit._run_exitfuncs()
    except BaseException:  # up to Python 3.9; later versions tell it themselves
        traceback.print_exc()
