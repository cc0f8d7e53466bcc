"""Sallyport's half in the interpreter: standard library only, CPython 3.9 and newer."""
