"""What forks of an embedded application say."""

import logging
import multiprocessing
import os
import sys
import threading

logging.basicConfig(stream=sys.stderr, level=logging.INFO)


def say_much():
    print("child: standard output")
    print("child: \x1bstandard error", file=sys.stderr)
    logging.getLogger("shop").info("child: a record")
    thread = threading.Thread(target=lambda: {}["in a thread"])
    thread.start()
    thread.join()
    raise ValueError("child: an exception")


def app(environ, start_response):
    if environ["PATH_INFO"] == "/process":
        child = multiprocessing.get_context("fork").Process(target=say_much)
        child.start()
        child.join()
    else:
        child = os.fork()
        if child == 0:
            raise KeyError("child: came back")
        os.waitpid(child, 0)
    print("parent: goes on")
    start_response("200 OK", [])
    return [b"done"]
