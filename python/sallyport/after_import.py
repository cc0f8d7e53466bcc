"""Calls a function as soon as a module is there, so that what only some applications need is made for those alone.

Tested by test/protocols/asgi/workers.test.ts.
"""

import sys
from importlib.machinery import PathFinder

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Callable


def after_import(name: str, then: "Callable[[], object]") -> None:
    """Calls `then` when the module has been imported: now, later within its import, or never."""
    if name in sys.modules:
        then()
    else:
        sys.meta_path.insert(0, _Waiting(name, then))


class _Waiting:
    """Finds one module, on the path (importlib.abc.MetaPathFinder)."""

    def __init__(self, name: str, then: "Callable[[], object]") -> None:
        self._name = name
        self._then = then

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = _Loader(spec.loader, self._then)
        return spec


class _Loader:
    """In the place of the module's own loader until the module is there (importlib.abc.Loader)."""

    def __init__(self, loader: object, then: "Callable[[], object]") -> None:
        self._loader = loader
        self._then = then

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        return self._loader.create_module(spec)

    def exec_module(self, module: "ModuleType") -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._then()
