"""A crash of the server process prints the Python stacks, and V8 keeps the signals that are WebAssembly's traps.

Tested by test/embedded/crashes.test.ts.
"""

import ctypes
import faulthandler
import signal
import sys

# More bytes than a `struct sigaction` of any system has; its first field is the handler.
_SIGACTION = 512
# node::RegisterSignalHandler(int, void (*)(int, siginfo_t *, void *), bool) of node.h: gets those that are no traps.
_REGISTER = "_ZN4node21RegisterSignalHandlerEiPFviP9siginfo_tPvEb"
# Memory out of bounds; on macOS it may come as either.
_TRAPS = (signal.SIGSEGV, signal.SIGBUS) if sys.platform == "darwin" else (signal.SIGSEGV,)


def print_stacks() -> None:
    """As faulthandler.enable does, but behind the handlers that are there.

    faulthandler passes a signal on to the handler that it has found, by raising it once more: it must find none, or the
    two would call each other for ever.
    """
    process = ctypes.CDLL(None)
    found = {number: _exchange(process, number, None) for number in _TRAPS}
    taken = {number: action for number, action in found.items() if _handler(action)}
    for number in taken:
        _exchange(process, number, ctypes.create_string_buffer(_SIGACTION))
    faulthandler.enable(sys.__stderr__ or 2)
    register = getattr(process, _REGISTER, None)
    for number, action in taken.items():
        ours = _exchange(process, number, action)
        if register:  # or else such a crash prints no stack
            register(ctypes.c_int(number), ctypes.c_void_p(_handler(ours)), ctypes.c_bool(False))


def _exchange(process: ctypes.CDLL, number: int, action: "ctypes.Array | None") -> ctypes.Array:
    """sigaction(2). Returns the present one."""
    present = ctypes.create_string_buffer(_SIGACTION)
    process.sigaction(ctypes.c_int(number), action, present)
    return present


def _handler(action: ctypes.Array) -> int:
    """Its address; 0 is that of the default."""
    return ctypes.c_void_p.from_buffer(action).value or 0
