"""The zstd module of this Python, or its backport."""

from __future__ import annotations

import sys
from typing import Any


def zstd_module() -> Any:  # noqa: ANN401 - one of two modules
    """``compression.zstd`` from Python 3.14 on, else ``backports.zstd``; loaded when asked for."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
