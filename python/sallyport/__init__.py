"""Sallyport's half in the interpreter: standard library only, CPython 3.9 and newer."""

# Under the name that tracebacks show, so that applications can catch it, and pickle it.
from .failures import BodyLost as BodyLost
from .failures import ProtocolError as ProtocolError
from .failures import ProtocolTypeError as ProtocolTypeError
from .failures import ProtocolValueError as ProtocolValueError
