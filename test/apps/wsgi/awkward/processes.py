"""A process that ends, or never does (edge case W13)."""

import ctypes
import os
import signal
import sys
import time

from .pages import PLAIN, page, record


@page
def system_exit(environ, start_response):
    sys.exit(3)


@page
def system_exit_midway(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b"about to leave\n"
    sys.exit(3)


@page
def keyboard_interrupt(environ, start_response):
    raise KeyboardInterrupt


@page
def generator_exit(environ, start_response):
    raise GeneratorExit


@page
def exit_at_once(environ, start_response):
    os._exit(7)


@page
def exit_midway(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b"about to die\n"
    os._exit(7)


@page
def segfault(environ, start_response):
    ctypes.string_at(0)


@page
def kill_self(environ, start_response):
    os.kill(os.getpid(), 9)


@page
def hang(environ, start_response):
    record("hanging")
    while True:
        time.sleep(60)


@page
def hang_midway(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b"and now\n"
    while True:
        time.sleep(60)


@page
def recurse(environ, start_response):
    return recurse(environ, start_response)


@page
def count(environ, start_response):
    record("counted")
    start_response("200 OK", list(PLAIN))
    return [b"counted\n"]


@page
def burst_then_die(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b"one\n"
    yield b"two\n"
    yield b"three\n"
    os.kill(os.getpid(), signal.SIGKILL)


@page
def wait_for(environ, start_response):
    record("waiting")
    while not os.path.exists(environ["QUERY_STRING"]):
        time.sleep(0.001)
    start_response("200 OK", list(PLAIN))
    return [b"it came\n"]
