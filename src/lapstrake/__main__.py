"""``python -m lapstrake``: the same as the program ``lapstrake``."""

from __future__ import annotations

import sys

from lapstrake.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
