"""Finds the application that `module:callable` names, or says precisely why it cannot.

Tested by test/protocols/wsgi/workers.test.ts.
"""

import importlib
import os
import sys
import traceback
from types import FunctionType

from .logs import title


class LoadError(Exception):
    """`message` is for the operator; `trace` is the application's own traceback, if there is one.

    `cause` is what the import raised, if it raised anything. `code` is that of the error, where the application
    is not to blame.
    """

    def __init__(
        self, message: str, trace: str = "", cause: "BaseException | None" = None, code: "str | None" = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.trace = trace
        self.cause = cause
        self.code = code


# How many arguments an application of each interface is called with.
_ARGUMENTS = {"wsgi": 2, "asgi": 3}
# By the number of arguments that a callable must be given.
_BY_ARITY = {1: "asgi2", 2: "wsgi", 3: "asgi"}
# Flags of a code object, as `inspect` names them: CO_COROUTINE, CO_VARARGS.
_COROUTINE = 0x80
_VAR_POSITIONAL = 0x04
# Tried in this order where the target names a module only.
_DEFAULT_NAMES = ("application", "app")


def load(target: str) -> object:
    """The object that `module`, `module:attribute.path` or `module:factory()` names. Raises LoadError."""
    if "SALLYPORT_DEV_IMPORTS" in os.environ:
        from .imports import tell_imports

        tell_imports()
    app = _found(target)
    if os.environ.get("SALLYPORT_DEV") == "1" and getattr(app, "debug", None) is False:
        app.debug = True  # Flask, Quart, Starlette, FastAPI: an exception comes out with its traceback
    return app


def _found(target: str) -> object:
    module_name, _, attribute = target.partition(":")
    module = _imported(module_name)
    if not attribute:
        return _default(module, module_name)
    if attribute.endswith("()"):
        return _made(_attribute(module, module_name, attribute[:-2]), target)
    return _attribute(module, module_name, attribute)


def choose_interface(app: object, target: str, configured: "str | None") -> str:
    """ "asgi" or "wsgi": the configured one, if the callable can be that. Raises LoadError."""
    shape = _shape(app)
    if shape == "asgi2" and configured != "wsgi":
        raise LoadError(
            f"{target} takes one argument, as ASGI 2 applications do, and this is a server of ASGI 3: "
            "wrap it in asgiref.compatibility.guarantee_single_callable; "
            f"if it makes the application, say {target}()"
        )
    if configured == "wsgi" and shape == "asgi":
        raise LoadError(f"{target} is an ASGI application; it was to be served as a WSGI application")
    interface = configured or shape or "wsgi"
    refuse_others(app, target, interface)
    return interface


def refuse_others(app: object, target: str, interface: str) -> None:
    """Raises LoadError for what cannot be called as an application is, but makes one, or handles requests otherwise."""
    count = _ARGUMENTS[interface]
    if not _takes(app, count):
        message = f"{target} cannot be called with {count} arguments, as {interface.upper()} applications are"
        makes_one = _takes(app, 0) and _shape(app) != "asgi" and not target.endswith(")")
        raise LoadError(f"{message}; if it makes the application, say {target}()" if makes_one else message)


def interface_of(app: object) -> str:
    """ "asgi", "asgi2" or "wsgi", by the shape of the callable."""
    return _shape(app) or "wsgi"


def _shape(app: object) -> str:
    """The interface of the callable; "" if its shape does not tell."""
    if type(app) is FunctionType and not app.__dict__:  # no decorator has marked it
        return _shape_of_code(app)
    import inspect  # not at the top: it takes longer than all else of a worker

    inner = _unwrapped(app)
    call = getattr(inner, "__call__", None)
    if inspect.isclass(inner):
        if inspect.iscoroutinefunction(call):
            return "asgi2"
    elif inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(call):
        return "asgi"
    return _BY_ARITY.get(_arity(app), "")


def _shape_of_code(function: FunctionType) -> str:
    """The same as `_shape`, for a plain function."""
    code = function.__code__
    if code.co_flags & _COROUTINE:
        return "asgi"
    if code.co_flags & _VAR_POSITIONAL:
        return ""
    required = code.co_argcount - len(function.__defaults__ or ())
    return _BY_ARITY.get(required, "")


def _unwrapped(app: object) -> object:
    """The function inside a functools.partial."""
    while hasattr(app, "func") and hasattr(app, "keywords"):
        app = app.func
    return app


def _arity(app: object) -> int:
    """How many arguments it must be called with; 0 if unknown.

    A decorator that takes whatever comes counts as what it decorates. But a decorated function of one argument does not
    tell: Werkzeug's `@Request.application` makes a WSGI application of one that takes the request.
    """
    required = _required(app, follow_wrapped=False)
    if required == 0:
        required = _required(app, follow_wrapped=True)
        return 0 if required == 1 else required
    return required


def _required(app: object, follow_wrapped: bool) -> int:
    """The same for its own signature, or for that of what it decorates."""
    import inspect

    try:
        parameters = inspect.signature(app, follow_wrapped=follow_wrapped).parameters.values()
    except Exception:  # it has none, or its annotations cannot be evaluated (Python 3.14)
        return 0
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return 0
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional and each.default is each.empty for each in parameters)


def _takes(app: object, count: int) -> bool:
    """Whether it can be called with so many arguments; True if unknown."""
    if type(app) is FunctionType and not app.__dict__:
        code = app.__code__
        required = code.co_argcount - len(app.__defaults__ or ())
        return required <= count and (count <= code.co_argcount or code.co_flags & _VAR_POSITIONAL != 0)
    return _binds(app, count, follow_wrapped=False) or _binds(app, count, follow_wrapped=True)


def _binds(app: object, count: int, follow_wrapped: bool) -> bool:
    import inspect

    try:
        signature = inspect.signature(app, follow_wrapped=follow_wrapped)
    except Exception:  # as in `_required`
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _imported(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise LoadError(f"there is no module {error.name!r}; looked in {_search_path()}", "", error) from None
        raise LoadError(f"importing {name!r} failed: {title(error)}", _trace(error), error) from None
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, LoadError)):
            raise
        raise LoadError(f"importing {name!r} failed: {title(error)}", _trace(error), error) from None


def _default(module: object, name: str) -> object:
    for candidate in _DEFAULT_NAMES:
        if hasattr(module, candidate):
            return _callable(getattr(module, candidate), f"{name}:{candidate}")
    names = " nor ".join(repr(candidate) for candidate in _DEFAULT_NAMES)
    raise LoadError(f"module {name!r} has neither {names}; name the application as {name}:NAME")


def _attribute(module: object, module_name: str, path: str) -> object:
    found = module
    for part in path.split("."):
        if not hasattr(found, part):
            raise LoadError(f"module {module_name!r} has no {path!r}{_suggestion(module, path)}")
        found = getattr(found, part)
    return _callable(found, f"{module_name}:{path}")


def _made(factory: object, target: str) -> object:
    try:
        made = factory()
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, LoadError)):
            raise
        raise LoadError(f"calling {target} failed: {title(error)}", _trace(error), error) from None
    return _callable(made, target)


def _callable(found: object, target: str) -> object:
    if not callable(found):
        raise LoadError(f"{target} is of type {type(found).__name__}, not something to call")
    return found


def _suggestion(module: object, path: str) -> str:
    near = [name for name, value in vars(module).items() if not name.startswith("_") and _defined_here(module, value)]
    return f"; it has {', '.join(sorted(near)[:8])}" if near else ""


def _defined_here(module: object, value: object) -> bool:
    """Callables that could be meant: functions of this module, and instances of any class."""
    import inspect

    if inspect.isclass(value) or not callable(value):
        return False
    return not inspect.isroutine(value) or value.__module__ == module.__name__


def _search_path() -> str:
    """Without the directories of Python itself and of its packages."""
    roots = (sys.base_prefix + os.sep, sys.prefix + os.sep)
    own = [place for place in sys.path if place and not place.startswith(roots)]
    return ", ".join(own[:3]) or os.getcwd()


def _trace(error: BaseException) -> str:
    """The traceback from the application's first frame on, without those of the import system and our own."""
    frames = error.__traceback__
    while frames and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _is_ours(filename: str) -> bool:
    return filename == __file__ or filename.startswith("<frozen importlib") or filename == importlib.__file__
