"""A WSGI application that breaks every rule of PEP 3333 it can, one path for each: what a server must survive.

Served as `awkward` (callable `application`). What happens to an iterable is written, a word a line, to the file that
the environment variable AWKWARD_LOG names, so that a test can count the calls of close().
"""

from . import bodies, files, heads, inputs, processes, surroundings  # noqa: F401 (each adds its pages to the table)
from .pages import PAGES, PLAIN


def application(environ, start_response):
    answer = PAGES.get(environ["PATH_INFO"])
    if answer is None:
        start_response("404 Not Found", list(PLAIN))
        return [b"no such awkwardness\n"]
    return answer(environ, start_response)
