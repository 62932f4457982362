"""How much of a tree of AOSC bundles is read without a shell, how exactly, and how fast.

    python bench/abbs_parse.py TREE [--no-bash] [--arch amd64]

Truth is bash itself, in an empty environment with ARCH set (a defines file after its spec); every
variable is compared. bash runs what the files say: use it on trees you trust only.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from lapstrake.bundle import aosc
from lapstrake.errors import BundleError, LapstrakeError
from lapstrake.formats.shell import Value, evaluate
from lapstrake.names import Arch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/unit/formats"))
from test_shell_bash import bash_values

BATCH = 200
SHOWN = 12


def spec_of(defines: Path) -> Path:
    """The spec that a defines file belongs to."""
    return defines.parent.parent / "spec"


def read_ours(files: Sequence[Path], arch: str) -> dict[Path, dict[str, Value]]:
    """Evaluate all files of a kind, tell how it went, and return what was accepted."""
    texts = [(file, file.read_text(encoding="utf-8")) for file in files]
    specs = {
        spec: spec.read_text(encoding="utf-8")
        for spec in {spec_of(file) for file in files if file.name == "defines"}
    }
    before = {
        spec: dict(evaluate(text, variables={"ARCH": arch}, origin=str(spec)))
        for spec, text in specs.items()
    }
    found: dict[Path, dict[str, Value]] = {}
    refused: list[BundleError] = []
    start = time.perf_counter()
    for file, text in texts:
        known = before.get(spec_of(file), {}) if file.name == "defines" else {}
        try:
            mine = evaluate(text, variables={"ARCH": arch, **known}, origin=str(file))
        except BundleError as refusal:
            refused.append(refusal)
        else:
            found[file] = {**known, **mine}
    seconds = time.perf_counter() - start
    print(
        f"{files[0].name}: {len(files)} files, {len(found)} evaluated"
        f" ({100 * len(found) / len(files):.2f} %), {seconds / len(files) * 1e6:.0f} us per file"
    )
    for refusal in refused:
        print(f"    refused: {refusal.brief}")
    return found


def compare(ours: dict[Path, dict[str, Value]], arch: str) -> None:
    """Tell which files bash reads otherwise."""
    files = list(ours)
    different = 0
    for first in range(0, len(files), BATCH):
        batch = files[first : first + BATCH]
        sourced = [(spec_of(f), f) if f.name == "defines" else (f,) for f in batch]
        for file, truth in zip(batch, truths(sourced, arch), strict=True):
            if truth is None:
                print(f"    bash itself complains: {file}")
                different += 1
                continue
            mine = ours[file]
            for name in sorted(set(mine) | set(truth)):
                if mine.get(name) != truth.get(name):
                    print(f"    {file}: {name}: {mine.get(name)!r}, bash: {truth.get(name)!r}")
            different += mine != truth
    print(f"    {different} of {len(files)} differ from bash")


def truths(sourced: list[tuple[Path, ...]], arch: str) -> Iterable[dict[str, Value] | None]:
    """What bash makes of a batch of files; ``None`` where it complains."""
    try:
        values = bash_values(sourced, variables={"ARCH": arch})
    except LapstrakeError:
        if len(sourced) == 1:
            return [None]
        half = len(sourced) // 2
        return [*truths(sourced[:half], arch), *truths(sourced[half:], arch)]
    for found in values:
        found.pop("ARCH", None)
    return values


def read_bundles(specs: Sequence[Path], arch: Arch) -> None:
    """Tell how many bundles are accepted, and why others are not."""
    reasons: Counter[str] = Counter()
    examples: dict[str, str] = {}
    warnings: list[str] = []
    accepted = 0
    start = time.perf_counter()
    for spec in specs:
        try:
            bundle = aosc.read(spec.parent, arch=arch)
        except BundleError as refusal:
            reason = re.sub(r"^\S+: ", "", refusal.brief)
            reason = re.sub(r"'[^']*'|[0-9]+|\"[^\"]*\"|^.* is not for", "...", reason)
            reason = f"{type(refusal).__name__}: {reason}"
            reasons[reason] += 1
            examples.setdefault(reason, f"{spec.parent}: {refusal.brief}")
        else:
            accepted += 1
            warnings += [f"{spec.parent}: {warning}" for warning in bundle.warnings]
    seconds = time.perf_counter() - start
    print(
        f"bundles for {arch}: {accepted} of {len(specs)} accepted,"
        f" {seconds / len(specs) * 1e6:.0f} us each, {len(warnings)} warnings"
    )
    for reason, count in reasons.most_common():
        print(f"    {count:5}  {reason}\n           as in {examples[reason]}")
    for warning in warnings[:SHOWN]:
        print(f"    warning: {warning}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("tree", type=Path)
    parser.add_argument("--no-bash", action="store_true", help="skip the comparison")
    parser.add_argument("--arch", type=Arch, default=Arch.AMD64)
    arguments = parser.parse_args()
    specs = sorted(arguments.tree.glob("*/*/spec"))
    defines = [
        file for file in sorted(arguments.tree.glob("*/*/*/defines")) if spec_of(file).exists()
    ]
    for files in (specs, defines):
        ours = read_ours(files, arguments.arch)
        if not arguments.no_bash:
            compare(ours, arguments.arch)
    read_bundles(specs, arguments.arch)


if __name__ == "__main__":
    main()
