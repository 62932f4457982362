"""Lapstrake: package sources into packages, packages into running containers.

Every root is a stack of immutable layers; only the top is writable, and it is thrown away.
"""

__version__ = "0.1.0"
