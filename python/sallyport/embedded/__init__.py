"""Embedded mode: a WSGI application inside the server process."""
