"""Source packages are known from the archive's lists, without fetching them."""

from __future__ import annotations

from pathlib import Path

from lapstrake.build.group import relate
from lapstrake.farm.contents.source_index import in_lists

STANZA = """\
Package: {name}
Format: 3.0 (quilt)
Binary: {makes}
Architecture: any
Version: {version}
Maintainer: Some One <one@example.org>
Standards-Version: 4.6.2
Build-Depends: debhelper-compat (= 13){needs}
Package-List:
 {makes} deb libs optional arch=any
Files:
 d41d8cd98f00b204e9800998ecf8427e 0 {name}_{version}.dsc
Checksums-Sha256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 {name}_{version}.dsc
Directory: pool/main
"""


def stanza(name: str, makes: str, needs: str = "", version: str = "1.0-1") -> str:
    return STANZA.format(name=name, makes=makes, needs=needs, version=version)


def lists(folder: Path, *texts: str) -> list[Path]:
    """One file for each text, and one with nothing in it."""
    files = [folder / f"{number}_Sources" for number in range(len(texts) + 1)]
    for file, text in zip(files, (*texts, ""), strict=True):
        file.write_text(text)
    return files


def test_a_group_of_source_packages_has_its_order_from_the_lists(tmp_path: Path) -> None:
    old = stanza("app", "app", ", nothing")
    new = stanza("app", "app", ", libbase-dev (>= 1)", "1.0-10")
    base = stanza("libbase", "libbase-dev")
    found = in_lists(
        lists(tmp_path, f"{old}\n{base}", f"{base}\n{new}\n"),
        ["apt:app", "apt:libbase", "apt:app=1.0-1", "apt:app=3", "apt:base"],
        "amd64",
    )
    assert found.keys() == {"apt:app", "apt:libbase", "apt:app=1.0-1"}
    assert found["apt:app"].version == "1.0-10"
    assert relate({name: found[name] for name in ("apt:app", "apt:libbase")}) == {
        "apt:app": {"apt:libbase"},
        "apt:libbase": set(),
    }
    assert not relate({name: found[name] for name in ("apt:app=1.0-1", "apt:libbase")})[
        "apt:app=1.0-1"
    ]


def test_a_stanza_that_says_nothing_sensible_is_as_good_as_none(tmp_path: Path) -> None:
    assert in_lists(lists(tmp_path, "Package: odd\nVersion: 1\nBinary: x\n"), ["apt:odd"], "") == {}
