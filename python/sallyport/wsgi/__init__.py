"""The server's half of WSGI 1.0.1 (PEP 3333), inside the interpreter."""

from .response import Response as Response
from .server import Server as Server
