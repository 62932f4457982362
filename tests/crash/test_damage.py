"""State that is damaged on the disk: said clearly, and never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.errors import StoreError
from trouble import Victim

pytestmark = pytest.mark.parametrize("victim", ["nspawn"], indirect=True)

_DAMAGES = (
    b"",
    b'{"key": "ab',
    b"[]\n",
    b"{}\n",
    b'{"key": 1, "instances": 7, "checked": null, "name": []}\n',
    b"\xff\x00\xfe" * 50,
)


def _files(victim: Victim) -> dict[str, Path]:
    private = victim.work_dir / ".builder"
    newest = sorted((victim.work_dir / "builds").iterdir())[-1]
    layer = next(iter((private / "store/layers").glob("*/layer.json")))
    return {
        "base": private / "base.json",
        "branch": private / "branches/stable.json",
        "layer": layer,
        "record": newest / "record.json",
        "index-cache": next((victim.output / ".lapstrake").glob("cache-*.json")),
    }


@pytest.mark.parametrize("which", ["base", "branch", "layer", "record", "index-cache"])
def test_a_damaged_file(victim: Victim, which: str) -> None:
    bundle = victim.bundle("tiny")
    assert victim.build(bundle).ok
    file = _files(victim)[which]
    whole = file.read_bytes()
    try:
        for damage in _DAMAGES:
            file.write_bytes(damage)
            for words in (("build", str(bundle), "stable"), ("history",)):
                _copes(victim, file, *words)
    finally:
        file.write_bytes(whole)
    assert victim.build(bundle).ok


def _copes(victim: Victim, file: Path, *words: str) -> None:
    """Does its work in spite of the damage, or says which file it is."""
    done = victim.run(*words)
    assert "Traceback" not in done.stderr
    assert done.ok or done.status == StoreError.exit_code, done.stderr
    assert done.ok or file.name in done.stderr, done.stderr
