"""Looking whether a branch is fresh, against `apt-get update` in its root; both change nothing.

Needs a warm work folder (LAPSTRAKE_WORK_DIR) whose branch `stable` was refreshed.
"""

from __future__ import annotations

import argparse
import sys

from pairs import command, race, report

LAPSTRAKE = [sys.executable, "-m", "lapstrake", "-q"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--branch", default="stable")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    update = ["branch", "shell", given.branch, "--", "apt-get", "-qq", "update"]
    contenders = [
        command("lapstrake branch refresh", [*LAPSTRAKE, "branch", "refresh", given.branch]),
        command("apt-get update in its root", [*LAPSTRAKE, *update]),
        command("lapstrake branch list", [*LAPSTRAKE, "branch", "list"]),
        command("an empty command in its root", [*LAPSTRAKE, *update[:4], "true"]),
    ]
    race(contenders, rounds=given.rounds)
    report("An unchanged branch", contenders, as_json=given.json)


if __name__ == "__main__":
    main()
