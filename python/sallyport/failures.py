"""Failures of an application, as the server learns of them: the payloads of ABORT and FAILED."""

import json
import os
import traceback

# As type checkers know it: importing `typing` takes a worker milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

# The beginning of the names of our own files in code objects.
_OURS = os.path.dirname(__file__) + os.sep
# The most characters of a message and of a traceback: an application may quote a client's data of any length. In JSON
# one character becomes up to six bytes.
_MESSAGE = 8_192
_DETAIL = 65_536


class ProtocolError(RuntimeError):
    """The application broke a rule of its interface (PEP 3333, ASGI 3.0); the message says which."""

    __module__ = "sallyport"


# Applications catch what other servers raise in such a case: TypeError and ValueError under mod_wsgi, gunicorn and
# waitress, RuntimeError under uvicorn.


class ProtocolTypeError(ProtocolError, TypeError):
    """The same: a value is of a type that the interface does not allow."""

    __module__ = "sallyport"


class ProtocolValueError(ProtocolError, ValueError):
    """The same: the type is right and the value is not."""

    __module__ = "sallyport"


class BodyLost(Exception):
    """The file in which the server has put a request body cannot be opened: not the application's fault."""

    __module__ = "sallyport"


def abort_payload(error: BaseException, leaving: bool = False) -> bytes:
    """`leaving`: the process ends now, as the application asked it to."""
    failure = {
        "error": _code(error),
        "message": summary(error),
        "detail": application_trace(error),
        "leaving": leaving,
    }
    return json.dumps(failure).encode()


def failed_payload(message: str, detail: str, cause: "BaseException | None" = None, code: "str | None" = None) -> bytes:
    """`cause`: what importing the application raised; the interpreter may be to blame for it."""
    failure = {"message": cut(message, _MESSAGE), "detail": cut(detail, _DETAIL)}
    if code is not None:
        failure["code"] = code
    if cause is not None:
        import platform  # not at the top: workers that start well need none of it

        failure["python"] = f"{platform.python_implementation()} {platform.python_version()}"
    if isinstance(cause, ModuleNotFoundError) and cause.name:
        failure["missing"] = cut(cause.name.partition(".")[0], _MESSAGE)
    return json.dumps(failure).encode()


def summary(error: BaseException) -> str:
    """The exception's name and text on one line if it has one, cut to a limit."""
    return cut(_formatted(lambda: _only(error), error).strip(), _MESSAGE)


def _only(error: BaseException) -> "list[str]":
    """Of a syntax error without its source, which the traceback shows, but with its place."""
    if isinstance(error, SyntaxError):
        return [f"{type(error).__name__}: {error}"]
    return traceback.format_exception_only(type(error), error)


def application_trace(error: BaseException) -> str:
    """The traceback without our own first frames, unless there are no others; cut to a limit."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    return cut(_formatted(lambda: traceback.format_exception(type(error), error, frames), error), _DETAIL)


def cut(text: str, limit: int) -> str:
    """Replaces the middle of a text of more than `limit` characters by a note."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters left out ...] {text[-half:]}"


def _code(error: BaseException) -> str:
    if isinstance(error, BodyLost):
        return "INTERNAL"
    return "APP_PROTOCOL" if isinstance(error, ProtocolError) else "APP_RAISED"


def _formatted(lines: "Callable[[], list[str]]", error: BaseException) -> str:
    """Formatting calls methods of the application's exception, which may raise exceptions themselves."""
    try:
        return "".join(lines())
    except Exception as unreadable:
        return f"{type(error).__name__} (which cannot be told in full: {type(unreadable).__name__})"
