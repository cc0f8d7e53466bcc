"""The worker inside the server process: the frames of the link (docs/link.md), carried by calls instead of a socket.

The server writes frames into one piece of memory and calls `call`; the answers are in the other piece when the call
returns. A call runs new requests up to their first block and has open responses make one more block, in turn, for two
milliseconds: the server's event loop waits no longer than that, unless one step takes longer. A response that is
complete runs to its end at once, so that nothing of it is kept.
Tested by test/embedded/habits.test.ts.
"""

import atexit
import ctypes
import faulthandler
import json
import os
import resource
import sys
import threading
import traceback
from collections import OrderedDict, deque
from marshal import loads
from time import perf_counter

from .. import forks, logs, wsgi
from ..failures import application_trace, failed_payload, summary
from ..interpreter import interpreter
from ..link import CANCEL, COMMON, DONE, FAILED, HEADER, INIT, PRINTED, READY, REPEAT, REQUEST, STOP
from ..loader import LoadError, interface_of, load, refuse_others
from .process import adapt, end_output
from .response import Response

# Flags of `call`, beside the number of bytes that were written.
_MORE_COMES, _FETCH, _STEP = 1, 2, 4
# Flags of its result, beside the number of bytes that are there.
_MORE_IS_HERE, _RUNNABLE = 1 << 30, 1 << 29
# Seconds that one call works.
_TIME_SLICE = 0.002
# Steps in a row that an application may take after its response is complete.
_CLEANUP_STEPS = 100
# Responses that may be open at once.
_MAX_OPEN = 1024
# In a PRINTED frame, instead of a descriptor: a record of python/sallyport/logs.py.
_RECORD = 3

_pack = HEADER.pack
_unpack = HEADER.unpack_from
_CALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int)

# All applications that were ever started: the server may call them as long as it lives. And those that have not ended.
_applications: "list[Embedded]" = []
_present: "list[Embedded]" = []


def start(received: int, received_size: int, sent: int, sent_size: int, entry: int, stack: int) -> None:
    """Called by the server once for each application: makes its driver, and writes the address of `call` to `entry`.

    `received` and `sent` are addresses of memory; `stack` is the size of the stack on which the server calls.
    """
    if not _applications:
        adapt(stack, _log)
        logs.install(lambda _descriptor, record: _log(_RECORD, record))
        os.register_at_fork(after_in_child=logs.send_text)
    application = Embedded(_memory(received, received_size), _memory(sent, sent_size))
    _applications.append(application)
    _present.append(application)
    ctypes.c_uint64.from_address(entry).value = application.address


def _memory(address: int, size: int) -> memoryview:
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B")


def _log(descriptor: int, line: bytes) -> None:
    """By way of the first application: what the process prints belongs to none in particular."""
    for application in _present[:1]:
        application.send(PRINTED, descriptor, line)


class Embedded:
    """One application in the server process: the driver of its streams (as Inline and Shared are in a worker)."""

    def __init__(self, received: memoryview, sent: memoryview) -> None:
        self._received = received
        self._sent = sent
        # Frames that came in part, and frames to be sent.
        self._partial = b""
        self._out = deque()
        # Requests that have not begun: environs by their streams.
        self._waiting = OrderedDict()
        # Responses that have begun, and those of them whose next step is due.
        self._streams = {}
        self._runnable = deque()
        self._server = None
        self._entry = _CALL(self._call)

    @property
    def address(self) -> int:
        return ctypes.cast(self._entry, ctypes.c_void_p).value

    # What streams need of a driver.

    def send(self, kind: int, id: int, payload: bytes = b"") -> None:
        self._out.append(_pack(len(payload), id, kind) + payload)

    def hold(self, frame: bytes) -> None:
        self._out.append(frame)

    def poll(self, _stream: Response) -> None:
        pass

    def between_blocks(self, _stream: Response) -> None:
        """Nothing to do: responses take turns, and nothing waits behind one."""

    def ends_with(self, _error: BaseException) -> bool:
        """SystemExit ends the request: an application must not end the server's process."""
        return False

    # The server's call.

    def _call(self, size: int, flags: int) -> int:
        try:
            if size:
                data = self._partial + bytes(self._received[:size])
                if flags & _MORE_COMES:
                    self._partial = data
                    return 0
                self._partial = b""
                self._read(data)
                self._work()
            elif flags & _STEP:
                self._work()
            forks.end_if_child()  # of an import, or of an exit function
            return self._deliver()
        except BaseException as error:  # ours: exceptions of the application never come this far
            self._partial = b""  # what follows it will not come
            sys.__stderr__.write(f"sallyport: {error!r}\n")
            return -1

    def _read(self, data: bytes) -> None:
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
            self._end_streams()
            _run_exit_functions()
            self._leave()
        elif kind == CANCEL and self._cancel_waiting(id):
            pass
        elif id in self._streams:
            stream = self._streams[id]
            stream.receive(kind, payload)
            self._schedule(stream)

    def _cancel_waiting(self, id: int) -> bool:
        """Whether the request had not begun; then it never will."""
        if self._waiting.pop(id, None) is None:
            return False
        self.send(DONE, id)
        return True

    def _work(self) -> None:
        """Open responses and new requests in turn, so that neither pile up behind the other."""
        end = perf_counter() + _TIME_SLICE
        while self._runnable or self._waiting:
            if self._runnable:
                self._step()
                forks.end_if_child()
            if self._waiting:
                self._begin(*self._waiting.popitem(last=False))
                if forks.in_child:
                    forks.end()
            if perf_counter() > end:
                return

    def _begin(self, id: int, environ: dict) -> None:
        stream = Response(self, id, self._server)
        stream.blocks = stream.begin(environ)
        if stream.blocks or stream.spill:
            self._streams[id] = stream
            self._advance(stream)

    def _schedule(self, stream: Response) -> None:
        if stream.runnable and not stream.scheduled:
            stream.scheduled = True
            self._runnable.append(stream)

    def _step(self) -> None:
        stream = self._runnable.popleft()
        stream.scheduled = False
        self._advance(stream)

    def _advance(self, stream: Response) -> None:
        """Sends a frame that waits in the stream's file, or else the application's next block."""
        if stream.spill:
            stream.replay()
        else:
            try:
                next(stream.blocks)
                for _ in range(_CLEANUP_STEPS):
                    if not stream.complete:
                        break
                    next(stream.blocks)
            except StopIteration:
                stream.blocks = None
        if stream.blocks or stream.spill:
            self._schedule(stream)
        else:
            del self._streams[stream.id]

    def _end_streams(self) -> None:
        """Those that the server has given up, and that have not come to their end by themselves since."""
        for stream in list(self._streams.values()):
            stream.end()
            self.send(DONE, stream.id)
        self._streams.clear()
        self._runnable.clear()

    def _deliver(self) -> int:
        """Copies frames, as many bytes as there is room for, to where the server reads them."""
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
        """By count: threads of the application may append output meanwhile."""
        out = self._out
        return b"".join([out.popleft() for _ in range(len(out))])

    # Start and end.

    def _prepare(self, settings: dict) -> None:
        try:
            self._server = _make_server(self, settings)
        except LoadError as error:
            return self._failed(error.message, error.trace, error.cause)
        except BaseException as error:
            return self._failed(summary(error), application_trace(error))
        ready = {**interpreter(), "interface": "wsgi", "open": _max_open()}
        self.send(READY, 0, json.dumps(ready).encode())

    def _failed(self, message: str, trace: str, cause: "BaseException | None" = None) -> None:
        self.send(FAILED, 0, failed_payload(message, trace, cause))
        self._leave()

    def _leave(self) -> None:
        """From now on another application, if there is one, sends what is printed."""
        if _present == [self]:
            end_output()
        if self in _present:
            _present.remove(self)


def _make_server(driver: Embedded, settings: dict) -> wsgi.Server:
    for place in reversed([*settings["path"], settings["directory"]]):
        if place not in sys.path:
            sys.path.insert(0, place)
    os.environ.update(settings["env"])
    name = settings["app"]
    sys.argv = [name]
    # An import that hangs cannot be ended from here, but its traceback says where it hangs.
    faulthandler.dump_traceback_later(settings["startTimeout"] / 1000, file=sys.__stderr__ or 2)
    try:
        app = load(name)
    finally:
        faulthandler.cancel_dump_traceback_later()
    interface = settings["interface"] or interface_of(app)
    if interface != "wsgi":
        raise LoadError(f"{name} is an ASGI application; embedded mode is WSGI's, serve it in daemon mode")
    refuse_others(app, name, interface)
    return wsgi.Server(app, driver, settings["constants"], 1, settings["processes"])


def _max_open() -> int:
    """Each open response may hold a file; most files that this process may open are for connections."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MAX_OPEN if limit == resource.RLIM_INFINITY else min(_MAX_OPEN, max(1, limit // 4))


def _run_exit_functions() -> None:
    """As at the end of any Python: first those of threads (executors end their work), then those of `atexit`."""
    of_threads = getattr(threading, "_threading_atexits", [])
    while of_threads:
        try:
            of_threads.pop()()
        except BaseException:
            traceback.print_exc()
    try:
        atexit._run_exitfuncs()
    except BaseException:  # up to Python 3.9; later versions print it themselves
        traceback.print_exc()
