"""What the application logs, as records of the server's log, each with its level, its logger and its traceback.

Handlers of `logging` that write to standard output or standard error send a record instead of text; those that write
elsewhere are left alone. Uncaught exceptions, and those that `traceback` prints, are records, too.
"""

import io
import json
import os
import sys
import threading
import traceback
from importlib.util import find_spec

from .failures import cut

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

# The most characters of a record's first line, and of the lines below it. In JSON one becomes up to six bytes
# (RECORD_LIMIT in src/processes/lines.ts).
_TEXT = 32_768
_DETAIL = 65_536
_print_exception = traceback.print_exception
_report_thread = threading.excepthook

# The level of an error, as `logging` numbers it.
_ERROR = 40

# Takes a descriptor and a record as JSON. And what 1 and 2 were at the start: an application may put a file there.
_write: "Callable[[int, bytes], None] | None" = None
_streams: "dict[int, tuple]" = {}


def install(write: "Callable[[int, bytes], None]") -> None:
    """From now on records are written by `write`, which takes a descriptor (1, 2) and JSON without a line end."""
    global _write
    _write = write
    _streams.update({descriptor: _identity(descriptor) for descriptor in (1, 2)})
    if "logging" in sys.modules:
        _catch_records()
    else:
        sys.meta_path.insert(0, _WhenImported)
    traceback.print_exception = _print_exception_as_record
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


def send_text() -> None:
    """From now on nothing is a record: it is text, for the stream that it was written to."""
    _streams.clear()


class _WhenImported:
    """Catches records once the application imports `logging`, which takes milliseconds; many never do."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> object:
        if name != "logging":
            return None
        sys.meta_path.remove(_WhenImported)
        spec = find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_catch(module: object) -> None:
            execute(module)
            _catch_records()

        spec.loader.exec_module = execute_and_catch
        return spec


def _catch_records() -> None:
    from .log_records import catch

    catch()


def marked(token: str) -> "Callable[[int, bytes], None]":
    """Writes records to the descriptors, between other output. Nothing that is printed can have the token by chance."""
    begin = b"\x1e" + token.encode() + b" "
    lock = threading.Lock()

    def renew() -> None:
        nonlocal lock
        lock = threading.Lock()

    os.register_at_fork(after_in_child=renew)

    def write(descriptor: int, record: bytes) -> None:
        rest = memoryview(begin + record + b"\n")
        with lock:  # a long record may be several writes
            while rest:
                rest = rest[os.write(descriptor, rest) :]

    return write


# Exceptions that are printed.


def _print_exception_as_record(*args: object, **options: object) -> None:
    """`traceback.print_exception`, which print_exc() and print_last() call as well."""
    import inspect  # only now: it takes milliseconds

    given = inspect.signature(_print_exception).bind(*args, **options)
    descriptor = descriptor_of(given.arguments.get("file") or sys.stderr)
    if not descriptor:
        return _print_exception(*args, **options)
    printed = io.StringIO()
    given.arguments["file"] = printed
    _print_exception(*given.args, **given.kwargs)
    error = next((each for each in given.args if isinstance(each, BaseException)), None)
    try_to_send(descriptor, _ERROR, None, f"{title(error)}\n{printed.getvalue()}")


def _uncaught(kind: type, error: BaseException, trace: object) -> None:
    _report("", error, trace, lambda: sys.__excepthook__(kind, error, trace))


def _uncaught_in_thread(args: "threading.ExceptHookArgs") -> None:
    if args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread else "?"
    _report(f"Exception in thread {name}: ", args.exc_value, args.exc_traceback, lambda: _report_thread(args))


def _unraisable(args: object) -> None:
    try:
        what = f"{args.err_msg or 'Exception ignored in'}: {args.object!r}: "
    except Exception:
        what = "Exception ignored: "
    _report(what, args.exc_value, args.exc_traceback, lambda: sys.__unraisablehook__(args))


def _report(what: str, error: "BaseException | None", trace: object, otherwise: "Callable[[], None]") -> None:
    descriptor = descriptor_of(sys.stderr)
    if not descriptor or error is None:
        return otherwise()
    try_to_send(descriptor, _ERROR, None, f"{what}{title(error)}\n{_trace(error, trace)}")


def title(error: "BaseException | None") -> str:
    """`ValueError: what is wrong`, the first line of it, without notes."""
    if error is None:
        return "an exception"
    try:
        lines = traceback.format_exception_only(type(error), error)
        # Before that of a SyntaxError stands where it is.
        return next(line for line in lines if not line.startswith("  ")).split("\n", 1)[0]
    except Exception:
        return type(error).__name__


def _trace(error: "BaseException | None", trace: object = None) -> str:
    if error is None:
        return ""
    try:
        return "".join(traceback.format_exception(type(error), error, trace or error.__traceback__))
    except Exception:
        return ""


# Sending.


def try_to_send(descriptor: int, level: int, logger: "str | None", text: str) -> None:
    try:
        send(descriptor, level, logger, text)
    except Exception:  # as `logging` and the interpreter do, when standard error cannot be written
        pass


def send(descriptor: int, level: int, logger: "str | None", text: str) -> None:
    text, _, detail = text.rstrip("\n").partition("\n")
    record = {"level": level, "pid": os.getpid(), "text": cut(text, _TEXT)}
    if logger:
        record["logger"] = cut(logger, 256)
    if detail:
        record["detail"] = cut(detail, _DETAIL)
    _write(descriptor, json.dumps(record).encode())


def descriptor_of(stream: object) -> int:
    """1 or 2 for a stream that writes to the server, 0 for any other."""
    try:
        descriptor = stream.fileno()
        return descriptor if descriptor in _streams and _identity(descriptor) == _streams[descriptor] else 0
    except Exception:
        return 0


def _identity(descriptor: int) -> "tuple | None":
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino
