"""What went wrong inside an application, as the front is told: the payloads of ABORT and FAILED."""

import json
import os
import traceback
from typing import Callable

# As the names of files stand in our code objects.
_OURS = os.path.dirname(__file__) + os.sep
# Characters of a message and of a traceback that the front is told. An application quotes what a client sent, of any
# length, and there may be several lines of it; JSON makes up to six bytes of one of these.
_MESSAGE = 8_192
_DETAIL = 65_536


class ProtocolError(RuntimeError):
    """The application broke a rule of its interface (PEP 3333, ASGI 3.0); the message says which."""

    __module__ = "sallyport"


# Applications catch what other servers raise in such a case: under mod_wsgi, gunicorn and waitress these two, and
# RuntimeError under uvicorn.


class ProtocolTypeError(ProtocolError, TypeError):
    """The same: a value is of a type that the interface does not allow."""

    __module__ = "sallyport"


class ProtocolValueError(ProtocolError, ValueError):
    """The same: the type is right and the value is not."""

    __module__ = "sallyport"


class BodyLost(Exception):
    """A request body that the front has set aside cannot be opened: not the application's fault."""

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


def failed_payload(message: str, detail: str) -> bytes:
    return json.dumps({"message": cut(message, _MESSAGE), "detail": cut(detail, _DETAIL)}).encode()


def summary(error: BaseException) -> str:
    """The exception's name and text, within a bound."""
    return cut(_told(lambda: traceback.format_exception_only(type(error), error), error).strip(), _MESSAGE)


def application_trace(error: BaseException) -> str:
    """The traceback without our own first frames, unless there are only those; within a bound."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    return cut(_told(lambda: traceback.format_exception(type(error), error, frames), error), _DETAIL)


def cut(text: str, limit: int) -> str:
    """A text of more than `limit` characters without its middle, and marked."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters left out ...] {text[-half:]}"


def _code(error: BaseException) -> str:
    if isinstance(error, BodyLost):
        return "INTERNAL"
    return "APP_PROTOCOL" if isinstance(error, ProtocolError) else "APP_RAISED"


def _told(lines: "Callable[[], list[str]]", error: BaseException) -> str:
    """An exception has the application's own text, and what it has of its own may fail the one who reads it."""
    try:
        return "".join(lines())
    except Exception as unreadable:
        return f"{type(error).__name__} (which cannot be told in full: {type(unreadable).__name__})"
