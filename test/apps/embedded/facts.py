"""What an application finds of the process that it runs in."""

import ctypes
import json
import locale
import os
import subprocess
import sys
import time


def _said_by(program):
    return subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=True).stdout


def _exec_inherits():
    """A program that is started without a word about its environment."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        os.execv("/bin/sh", ["sh", "-c", "echo $FACT"])
    os.close(write)
    os.waitpid(pid, 0)
    return os.read(read, 100).decode()


def _getenv(name):
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return (getenv(name) or b"").decode()


def _named(fields):
    """All but `no_site`: embedded mode imports `site` itself."""
    names = [name for name in dir(fields) if name[0] != "_" and name != "no_site"]
    return [(name, getattr(fields, name)) for name in names]


def facts():
    before = dict(os.environ)
    os.environ["FACT"] = "set"
    changed = [_said_by("echo $FACT"), _exec_inherits(), _getenv(b"FACT"), os.getenv("FACT")]
    del os.environ["FACT"]
    removed = [_said_by("echo $FACT"), _exec_inherits(), _getenv(b"FACT"), os.getenv("FACT")]
    if hasattr(os, "reload_environ"):
        os.putenv("FACT", "put")
        os.reload_environ()
        removed.append(os.environ.pop("FACT"))
        removed.append(sorted(set(before) - set(os.environ)))
    return {
        "environ": before,
        "changed": changed,
        "removed": removed,
        "utf8_mode": sys.flags.utf8_mode,
        "encodings": [sys.getfilesystemencoding(), sys.getfilesystemencodeerrors(), locale.getpreferredencoding()],
        "locale": [locale.setlocale(locale.LC_CTYPE), locale.setlocale(locale.LC_ALL)],
        "shell": _said_by("echo $LC_CTYPE"),
        "zone": [time.tzname, time.timezone, time.strftime("%Z %z", time.localtime(0)), time.ctime(0)],
        "argv": sys.argv,
        "flags": {name: value for name, value in _named(sys.flags) if isinstance(value, int)},
        "executable": sys.executable,
        "prefixes": [os.path.normpath(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)],
        "switch": sys.getswitchinterval(),
        "recursion": sys.getrecursionlimit(),
        "warnings": sys.warnoptions,
        "options": sys._xoptions,
    }


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(facts()).encode()]
