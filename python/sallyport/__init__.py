"""Sallyport's half in the interpreter: standard library only, CPython 3.9 and newer."""

# Under the name that tracebacks show, so that applications can catch it, and pickle it.
from .failures import ProtocolError as ProtocolError
