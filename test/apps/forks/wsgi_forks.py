"""Forks in every way; the parent waits for the child, and answers with its exit status."""

import os
import subprocess
import sys
import time


def record(*words):
    with open(os.environ["FORKS_LOG"], "a", encoding="utf-8") as file:
        file.write(" ".join(map(str, words)) + "\n")


def application(environ, start_response):
    page = environ["PATH_INFO"][1:]
    record(page)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return PAGES.get(page, lambda: [page.encode()])()


def status_of(pid):
    """Within ten seconds, or the child has gone on; it is ended then."""
    for _ in range(1000):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return [str(os.waitstatus_to_exitcode(status)).encode()]
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return [b"went on"]


def leave():
    return status_of(os.fork() or sys.exit(3))


def fail():
    return status_of(os.fork() or {}["nothing"])


def return_to_server():
    pid = os.fork()
    return status_of(pid) if pid else [b"nobody must read this"]


def yield_to_server():
    pid = os.fork()
    if pid == 0:
        yield b"nobody must "
        yield b"read this"
    else:
        yield from status_of(pid)


def leave_behind():
    """A program that stays, and has the link. With the worker's number."""
    os.set_inheritable(3, True)
    child = subprocess.Popen(["sleep", "600"], close_fds=False)
    return [f"{os.getpid()} {child.pid}".encode()]


def wait():
    time.sleep(60)


def load_main():
    """A program that loads the main module of this process as its own, with its path, as anyio.to_process has it."""
    load = "import runpy, sys; main, *sys.path = sys.argv[1:]; runpy.run_path(main, run_name='__mp_main__')"
    main = sys.modules["__main__"].__file__
    child = subprocess.run([sys.executable, "-c", load, main, *sys.path], stdin=subprocess.DEVNULL)
    return [str(child.returncode).encode()]


PAGES = {
    each.__name__: each for each in (leave, fail, return_to_server, yield_to_server, leave_behind, load_main, wait)
}
