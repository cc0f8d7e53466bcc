"""The table of awkward pages, and the few things that all of them use."""

import json
import os

PLAIN = [("Content-Type", "text/plain")]
PAGES = {}


def page(function):
    """Serves the function below its name: `raise_before_head` answers /raise-before-head."""
    PAGES["/" + function.__name__.replace("_", "-")] = function
    return function


def record(word):
    name = os.environ.get("AWKWARD_LOG")
    if name:
        with open(name, "a", encoding="utf-8") as log:
            log.write(word + "\n")


class Recorded:
    """An iterable that records each close()."""

    def __init__(self, items, word="close"):
        self.items = iter(items)
        self.word = word

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.items)

    def close(self):
        record(self.word)


def text(start_response, body, status="200 OK"):
    start_response(status, list(PLAIN) + [("Content-Length", str(len(body)))])
    return [body]


def as_json(start_response, value):
    body = json.dumps(value, sort_keys=True).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
