"""In development: tells which files outside of the application's directory it imports, so that they are watched, too.

The names are appended to a file, one a line: modules are imported in any thread, at the start or in the middle of a
request, and in processes that the application starts itself. A module that cannot be imported is among them.
Tested by test/cli/dev.test.ts.
"""

import os
import sys
from importlib.machinery import ModuleSpec

# The environment variable that names the file.
_VARIABLE = "SALLYPORT_DEV_IMPORTS"
# Files that are told of by one process.
_MOST = 5_000
_OURS = os.path.dirname(__file__)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def tell_imports() -> None:
    """From now on, once the server has asked for it. To be called in the application's directory."""
    sys.meta_path.insert(0, _Teller(os.environ[_VARIABLE]))


class _Teller:
    """Finds nothing itself (importlib.abc.MetaPathFinder): notes what the other finders find."""

    def __init__(self, path: str) -> None:
        self._path = path
        # Of Python, of Sallyport, and of the application: the last is watched as a whole.
        self._known = tuple(
            os.path.realpath(place) + os.sep for place in (os.path.dirname(os.__file__), _OURS, os.getcwd())
        )
        self._told: "set[str]" = set()

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                if spec.has_location and spec.origin:
                    self._tell(os.path.realpath(spec.origin))
                return spec
        return None

    def _tell(self, file: str) -> None:
        if file in self._told or len(self._told) >= _MOST:
            return
        if file.startswith(self._known) or any(part in file for part in _INSTALLED):
            return
        self._told.add(file)
        try:
            with open(self._path, "a", encoding="utf-8", errors="surrogateescape") as told:
                told.write(file + "\n")
        except OSError:
            pass  # the server is gone
