"""What applications do to the process that they run in."""

import atexit
import errno
import gc
import hashlib
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile

atexit.register(lambda: print("exit functions ran", file=sys.stderr))
ticks = []
notes = os.pipe()


def _tick():
    while True:
        ticks.append(1)
        time.sleep(0.005)


def exit(environ):
    sys.exit(3)


def quit_in_thread(environ):
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    return "joined"


def frame_too_long(environ):
    """What our own half never sends."""
    sys.modules["sallyport.embedded.application"]._applications[-1].send(68, 1, bytes(5_000_000))
    return "never seen"


def fork(environ):
    """A child that ends by itself, and one that comes back from the call."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, b"child")
        os._exit(0)
    os.close(write)
    said = os.read(read, 10).decode()
    os.close(read)
    os.wait()
    return said


def fork_and_return(environ):
    pid = os.fork()
    if pid == 0:
        return "nobody must read this"
    _, status = os.waitpid(pid, 0)
    _ours()._TIME_SLICE = 0.002
    return str(os.waitstatus_to_exitcode(status))


def fork_quickly(environ):
    """The next fork takes less than one call works, as it may."""
    _ours()._TIME_SLICE = 10
    return "quick"


def _ours():
    return sys.modules["sallyport.embedded.application"]


def note(environ):
    """In a pipe, which the child of a fork shares."""
    os.write(notes[1], b".")
    return "noted"


def read_notes(environ):
    return os.read(notes[0], 100).decode()


def spawn(environ):
    """Whether a process of multiprocessing's starts without `site`."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return str(pool.apply(eval, ("__import__('sys').flags.no_site",)))


def run(environ):
    return subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True).stdout


def streams_of_program(environ):
    """Whether a program has standard input, output and error: its exit status is 0 then."""
    return str(subprocess.run(["/bin/sh", "-c", "exec 3<&0 4>&1 5>&2"]).returncode)


def start_thread(environ):
    threading.Thread(target=_tick, daemon=True).start()
    return "started"


def count(environ):
    return str(len(ticks))


def signals(environ):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        signal.signal(signal.SIGTERM, lambda *_: None)
    return str(caught[0].message)


def surroundings(environ):
    """Changes what a process has only one of."""
    import locale

    os.environ["HABIT"] = "kept"
    os.chdir("/")
    for name in ("de_DE.UTF-8", "C.UTF-8", "C"):
        try:
            locale.setlocale(locale.LC_ALL, name)
            break
        except locale.Error:
            pass
    sys.stdout = sys.__stdout__ or sys.stdout
    return os.environ["HABIT"]


def printed(environ):
    print("to standard output")
    print("to standard error", file=sys.stderr)
    warnings.warn("a warning of the application", stacklevel=1)
    threading.Thread(target=lambda: print("from a thread")).start()
    return "printed"


def unfinished(environ):
    sys.stderr.write("a line without its end")
    return "written"


def recurse(environ):
    return recurse(environ)


def where(environ):
    return "\n".join([sys.prefix, sys.base_prefix, sys.executable, sys.version.split()[0]])


def sleep(environ):
    time.sleep(float(environ["QUERY_STRING"]))
    return "slept"


def hold(environ):
    """Holds Python's lock as well."""
    import ctypes

    print("holding", file=sys.__stderr__, flush=True)
    ctypes.PyDLL(None).sleep(600)


def close_low(environ):
    """What a program closes that takes the small numbers for left over."""
    for descriptor in (3, 4, 5):
        try:
            os.close(descriptor)
        except OSError:
            pass
    return str(os.getpid())


def close_own(environ):
    """The channel to the supervisor, wherever it is."""
    os.closerange(100, 103)
    return str(os.getpid())


def crash(environ):
    import ctypes

    ctypes.string_at(0)


def leave(environ):
    os._exit(9)


def objects(environ):
    """How many objects the collector knows of; in passing only, where that is not asked exactly."""
    return str(0 if environ["QUERY_STRING"] else (gc.collect(), len(gc.get_objects()))[1])


def received(environ):
    """The size and the hash of the body, and where it comes from."""
    body = environ["wsgi.input"]
    digest, size = hashlib.sha256(), 0
    for piece in iter(lambda: body.read(1 << 20), b""):
        digest.update(piece)
        size += len(piece)
    return json.dumps({"size": size, "sha256": digest.hexdigest()})


def app(environ, start_response):
    text = globals()[environ["PATH_INFO"][1:]](environ).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]


def forever(environ, start_response):
    """As many bytes as were asked for, a block at a time."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return (b"x" * 65_536 for _ in range(int(environ["QUERY_STRING"])))


def until_there(environ, start_response):
    """Its end comes once there is the file that the query names."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun"
    while not os.path.exists(environ["QUERY_STRING"]):
        yield b""
    print("the response is over", file=sys.stderr)
    yield b" and over"


def works_later(environ, start_response):
    """A thread goes on after the response."""
    executor = ThreadPoolExecutor(1)
    executor.submit(lambda: (time.sleep(0.2), print("an executor has done its work", file=sys.stderr)))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"later"]


def writes(environ, start_response):
    """As much, by write()."""
    write = start_response("200 OK", [("Content-Type", "application/octet-stream")])
    for _ in range(int(environ["QUERY_STRING"])):
        write(b"y" * 65_536)
    return [b"end"]


def writes_between(environ, start_response):
    """Blocks, and after each by write() more than is kept in memory; the query is the last block."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    for number in range(3):
        yield b"block %d" % number
        write(b"%d" % number * (3 << 20))
    yield environ["QUERY_STRING"].encode()


class _SmallDisk(io.FileIO):
    """A temporary file on a disk with room for a part of the last block, and nothing more."""

    def __init__(self, buffering):
        with TemporaryFile() as file:
            super().__init__(os.dup(file.fileno()), "r+b")
        self.room = 1_000_000

    def write(self, data):
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = super().write(data[: self.room])
        self.room -= written
        return written


def full_disk(environ, start_response):
    """Writes faster than anybody reads, and goes on as if nothing were missing."""
    tempfile.TemporaryFile = _SmallDisk
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    for number in range(40):
        try:
            write(b"%c" % (65 + number) * 100_000)
        except OSError:
            pass
    tempfile.TemporaryFile = TemporaryFile
    return []
