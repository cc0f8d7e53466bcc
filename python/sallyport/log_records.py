"""Records of `logging`: what handlers that write to standard output or standard error send instead of text.

Imported after `logging`, when the application wants it. Tested by test/python/test_logs.py.
"""

import logging
import re
import sys
from functools import lru_cache

from .failures import application_trace
from .logs import descriptor_of, send, title, try_to_send

# What a record of the server's log says itself: a format that has nothing else is left out.
_CARRIED = {"asctime", "created", "msecs", "levelname", "levelno", "name", "process", "message"}
_FIELDS = {
    logging.PercentStyle: re.compile(r"%\((\w+)\)[-#0 +]*\d*(?:\.\d+)?[a-z]"),
    logging.StrFormatStyle: re.compile(r"\{(\w+)[^{}]*\}"),
    logging.StringTemplateStyle: re.compile(r"\$\{?(\w+)\}?"),
}
_PLAIN = logging.Formatter("%(message)s")

_emit_text = logging.StreamHandler.emit
_report_error = logging.Handler.handleError


def catch() -> None:
    """From now on."""
    logging.StreamHandler.emit = _emit
    logging.Handler.handleError = _handle_error


def _emit(handler: logging.StreamHandler, record: logging.LogRecord) -> None:
    stream = handler.stream
    descriptor = descriptor_of(stream)
    if not descriptor:
        return _emit_text(handler, record)
    try:
        text = _formatted(handler, record)
        stream.flush()
        send(descriptor, record.levelno, record.name, text)
    except RecursionError:
        raise
    except Exception:
        handler.handleError(record)


def _formatted(handler: logging.Handler, record: logging.LogRecord) -> str:
    """What the handler would write, unless its format says no more than the record itself: then the message."""
    own_format = type(handler).format is not logging.Handler.format
    if own_format or not _says_no_more(handler.formatter):
        return handler.format(record)
    return _PLAIN.format(record)


def _says_no_more(formatter: "logging.Formatter | None") -> bool:
    if formatter is None:
        return True
    return type(formatter) is logging.Formatter and _is_carried(type(formatter._style), formatter._style._fmt)


@lru_cache(64)
def _is_carried(style: type, format: str) -> bool:
    pattern = _FIELDS.get(style)
    if not pattern:
        return False
    fields = set(pattern.findall(format))
    return "message" in fields and fields <= _CARRIED and not re.search(r"\w", pattern.sub("", format))


def _handle_error(handler: logging.Handler, record: logging.LogRecord) -> None:
    """A record that cannot be formatted or written; `logging` prints 20 lines instead."""
    descriptor = descriptor_of(sys.stderr)
    if not logging.raiseExceptions or not descriptor:
        return _report_error(handler, record)
    error = sys.exc_info()[1]
    what = f"a log record of {record.pathname}:{record.lineno} is lost: {title(error)}"
    try_to_send(descriptor, logging.ERROR, record.name, f"{what}\n{application_trace(error)}Message: {record.msg!r}")
