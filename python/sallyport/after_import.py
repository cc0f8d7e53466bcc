"""Calls a function as soon as a module is there, so that what only some applications need is made for those alone.

Tested by test/protocols/asgi/workers.test.ts.
"""

import sys
from _thread import get_ident
from importlib.machinery import PathFinder

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Callable


def after_import(name: str, then: "Callable[[], object]") -> "Waiting":
    """Calls `then` when this thread has imported the module: now, later within its import, or never.

    Never, too, if another thread imports it first: what `then` makes may belong to this one, as an event loop does.
    """
    waiting = Waiting(name, then)
    if name in sys.modules:
        then()
    else:
        sys.meta_path.insert(0, waiting)
    return waiting


class Waiting:
    """Finds one module, on the path (importlib.abc.MetaPathFinder), until it is imported or the waiting ends."""

    def __init__(self, name: str, then: "Callable[[], object]") -> None:
        self._name = name
        self._then = then
        self._thread = get_ident()

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        if name != self._name:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and hasattr(spec.loader, "exec_module"):  # not so a loader of zip files before Python 3.10
            spec.loader = _Loader(spec.loader, self)
        return spec

    def imported(self) -> None:
        self.end()
        if get_ident() == self._thread:
            self._then()

    def end(self) -> None:
        try:
            sys.meta_path.remove(self)
        except ValueError:
            pass  # it has ended before


class _Loader:
    """In the place of the module's own loader until the module is there (importlib.abc.Loader)."""

    def __init__(self, loader: object, waiting: Waiting) -> None:
        self._loader = loader
        self._waiting = waiting

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        return self._loader.create_module(spec)

    def exec_module(self, module: "ModuleType") -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._waiting.imported()

    def __getattr__(self, name: str) -> object:
        """What else the loader can, for those who only look where the module is (importlib.util.find_spec)."""
        return getattr(self._loader, name)
