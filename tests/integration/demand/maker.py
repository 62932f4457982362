"""A child as the registry starts it, that does what its order's name says; see test_workshop.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def main() -> None:
    order = json.loads(sys.stdin.buffer.readline())
    folder = Path(order["folder"])
    with (folder / "started").open("a") as counted:
        counted.write(f"{os.getpid()}\n")
    threading.Thread(target=watch, daemon=True).start()
    words = order["does"].split()
    match words[0]:
        case "make":
            say(">>> resolving\n")
            time.sleep(float(words[1]))
            say(">>> writing\nall of it\n")
            tell({"made": {"value": order["does"]}})
        case "miss":
            error = {"exit_code": 23, "brief": "not found: a, b", "missing": ["a", "b"]}
            tell({"error": error})
            sys.exit(23)
        case "fail":
            say(">>> configuring\nSetting up broken (1.0) ...\n")
            tell({"error": {"exit_code": 24, "brief": "the postinst of broken failed"}})
            sys.exit(24)
        case "die":
            say(">>> unpacking\nUnpacking hello (2.10-3) ...\n")
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            say(">>> configuring\nSetting up slow (1.0) ...\n")
            stubborn = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            (folder / "stubborn").write_text(str(stubborn.pid))
            signal.pause()
        case "chat":
            for number in range(int(words[1])):
                say(f"line {number} {'x' * 100}\n")
            tell({"made": {"value": "chatty"}})


def watch() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def tell(answer: object) -> None:
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()


main()
