"""What went wrong inside an application, as the front is told: the payloads of ABORT and FAILED."""

import json
import os
import traceback

# As the names of files stand in our code objects.
_OURS = os.path.dirname(__file__) + os.sep


class ProtocolError(RuntimeError):
    """The application broke a rule of its interface (PEP 3333, ASGI 3.0); the message says which."""

    __module__ = "sallyport"


def abort_payload(error: BaseException, leaving: bool = False) -> bytes:
    """`leaving`: the process ends now, as the application asked it to."""
    failure = {
        "error": "APP_PROTOCOL" if isinstance(error, ProtocolError) else "APP_RAISED",
        "message": summary(error),
        "detail": application_trace(error),
        "leaving": leaving,
    }
    return json.dumps(failure).encode()


def failed_payload(message: str, detail: str) -> bytes:
    return json.dumps({"message": message, "detail": detail}).encode()


def summary(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def application_trace(error: BaseException) -> str:
    """The traceback without our own first frames, unless there are only those."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))
