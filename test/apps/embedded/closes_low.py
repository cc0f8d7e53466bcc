"""Closes what it takes for left over, as programs do that want no descriptors from their parents."""

from habits import app, close_low  # noqa: F401

close_low({})
