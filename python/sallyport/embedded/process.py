"""What Python needs inside a process that is not its own: output, signals, the environment, the stack.

Tested by test/embedded/habits.test.ts.
"""

import ctypes
import io
import os
import re
import signal
import stat
import sys
import threading
import warnings
from itertools import count, takewhile

from .. import forks
from . import crashes

# As type checkers know it: importing `typing` takes milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

# Bytes of an unfinished line of output that are kept for its end.
_MAX_LINE = 16_384
# Control characters, but for tabs and line ends.
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
# Seconds that a fork waits for whoever reads the server's output.
_PATIENCE = 5.0
# Bytes of the stack that may be in use when `adapt` is called.
_STACK_IN_USE = 65_536
# Of prctl(2).
_PR_SET_PDEATHSIG = 1
# Of `sys.flags`.
_NO_SITE = 6

# Standard output and standard error of the application: as it finds them, and where their lines are made.
_streams: "list[io.TextIOWrapper]" = []
_outputs: "list[_Output]" = []


def adapt(stack: int, log: "Callable[[int, bytes], None]") -> None:
    """Once for the process. `stack`: bytes of the stack of calls; `log` takes a descriptor and a line of output."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        output = _Output(descriptor, log)
        stream = io.TextIOWrapper(output, "utf-8", "backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
        _streams.append(stream)
        _outputs.append(output)
    # Where Node blocks it (--disable-sigusr1), the programs that the application starts must not inherit that.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGUSR1,))
    signal.signal = _refuse_signal
    if hasattr(os, "_create_environ"):  # os.reload_environ()
        os._create_environ = _read_environment
    crashes.print_stacks()
    _end_forks_with_server()
    _lend_streams()
    _declare_site()
    _declare_stack(stack)


def end_output() -> None:
    """What has been printed without a line end is a line too: no other application of this process prints the rest."""
    for stream in (sys.stdout, sys.stderr, *_streams):
        try:
            stream.flush()
        except Exception:
            pass  # the application has closed it, or put something of its own there
    for output in _outputs:
        output.end()


class _Output(io.RawIOBase):
    """Standard output or standard error of the application: lines for the server's log."""

    def __init__(self, descriptor: int, log: "Callable[[int, bytes], None]") -> None:
        self._descriptor = descriptor
        self._log = log
        self._rest = b""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: bytes) -> int:
        if forks.in_child:
            return self._write_through(bytes(data))
        *lines, rest = (self._rest + bytes(data)).split(b"\n")
        if len(rest) > _MAX_LINE:
            lines.append(rest)
            rest = b""
        self._rest = rest
        for line in lines:
            if len(line) > _MAX_LINE:
                line = b"%s... (%d bytes more)" % (line[:_MAX_LINE], len(line) - _MAX_LINE)
            self._log(self._descriptor, line)
        return len(data)

    def end(self) -> None:
        """Nothing more comes for the line that is not finished."""
        rest, self._rest = self._rest, b""
        if rest:
            self._log(self._descriptor, rest)

    def _write_through(self, data: bytes) -> int:
        """A fork has only a copy of the memory by which lines reach the server. Nobody else escapes what it writes."""
        import select  # not at the top: it takes milliseconds

        rest = _CONTROL.sub(lambda found: b"\\x%02x" % found[0][0], data)
        try:
            while rest:
                _, ready, _ = select.select((), (self._descriptor,), (), _PATIENCE)
                rest = rest[os.write(self._descriptor, rest) :] if ready else b""
        except OSError:
            pass  # nobody reads it
        return len(data)


def _refuse_signal(number: int, _handler: object) -> object:
    """The signals of this process are the server's; mod_wsgi refuses handlers in the same way."""
    warnings.warn(f"signal {number} is the server's in embedded mode; the handler is not registered", stacklevel=2)
    return signal.getsignal(number)


def _end_forks_with_server() -> None:
    """On Linux, a fork of the application's ends with this process, whose listening sockets it has.

    The kernel goes by the thread that has forked, so this cannot be done for threads, which may end before.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return
    main = threading.get_ident()
    forking = []
    os.register_at_fork(
        before=lambda: forking.append(threading.get_ident()),
        after_in_parent=forking.clear,
        after_in_child=lambda: forking == [main] and prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
    )


def _read_environment() -> "dict[bytes, bytes]":
    """The present one. Python's own `environ` is the copy made at the start (src/embedded/environment.ts)."""
    lines = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    found = {}
    for line in takewhile(bool, map(lines.__getitem__, count())):
        name, _, value = line.partition(b"=")
        found.setdefault(name, value)
    return found


def _lend_streams() -> None:
    """Programs that the application starts have standard input, output and error: Node lets no program inherit its own.

    Not what belongs to a web server that has started us: a request and its response (CGI), or a listening socket.
    """
    is_cgi = "REQUEST_METHOD" in os.environ
    for descriptor in (2,) if is_cgi else (0, 1, 2):
        try:
            if descriptor > 0 or not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.set_inheritable(descriptor, True)
        except OSError:
            pass  # it is not open


def _declare_site() -> None:
    """Takes back the flag by which this interpreter has started without `site`, which it has imported since.

    multiprocessing and joblib start their processes with the flags of this one: with -S these had no packages.
    """
    no = ctypes.py_object(0)
    ctypes.pythonapi.Py_IncRef(no)  # the next call takes a reference for its own
    ctypes.pythonapi.PyStructSequence_SetItem(ctypes.py_object(sys.flags), ctypes.c_ssize_t(_NO_SITE), no)


def _declare_stack(size: int) -> None:
    """Tells Python about the stack that the server calls on, which is not the thread's own.

    CPython 3.14 and newer compare addresses with the bounds of the thread's stack: they would take this one for
    exhausted, and put off freeing objects for ever. From 3.14.1 on they can be told; 3.14.0 cannot.
    """
    if not hasattr(ctypes.pythonapi, "PyUnstable_ThreadState_SetStackProtection"):
        return
    here = _stack_address()
    if not here:
        return
    current = ctypes.PYFUNCTYPE(ctypes.c_void_p)(("PyThreadState_Get", ctypes.pythonapi))
    protect = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(
        ("PyUnstable_ThreadState_SetStackProtection", ctypes.pythonapi)
    )
    # `here` is near the upper end, so less than the whole stack is claimed.
    protect(current(), here - size + 2 * _STACK_IN_USE, size - _STACK_IN_USE)


def _stack_address() -> int:
    """An address inside the present stack, that of a variable of a C function; 0 where there is no such function."""
    found = []
    visit = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    walk = getattr(ctypes.CDLL(None), "dl_iterate_phdr", None)
    if walk:
        walk(visit(lambda address, _size, _data: found.append(address) or 1), None)
    return found[0] if found else 0
