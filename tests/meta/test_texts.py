"""Rules about what may stand in files: nothing left undone, nothing of somebody's machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from project import PROJECT, SOURCE, text_files

# Written in pieces, so that this file does not break its own rules.
_UNDONE = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|raise Not" r"ImplementedError)\b")
_MACHINE = re.compile(r"(?<![\w.~}*)])/(work|home)/[a-z]")
_SCRATCH = re.compile(r"(?<![\w.}*)])/tm" r"p/[a-zA-Z0-9]")
_HOSTS = re.compile(
    r"\b(?:pypi" r"\.org|python" r"hosted\.org|registry\.npm" r"js\.org|deb\.debian" r"\.org"
    r"|(?:ftp|security|snapshot|cdn-aws\.deb)\.(?:\w+\.)?debian" r"\.org"
    r"|(?:archive|security|ports)\.ubuntu" r"\.com)\b"
)  # fmt: skip
_FILES = text_files()


def _found(pattern: re.Pattern[str], *, apart: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in _FILES.items()
        if not str(name).startswith(apart)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_there_are_files() -> None:
    assert Path("pyproject.toml") in _FILES
    assert len(_FILES) > 200


def test_nothing_is_left_undone() -> None:
    assert not _found(_UNDONE)


def test_no_path_of_a_machine_is_told() -> None:
    assert not _found(_MACHINE)
    assert not _found(_SCRATCH, apart=("tests/",))  # in tests it is a root's own


def test_no_server_is_named_that_clients_know_themselves() -> None:
    """pip, npm and apt have settings of their own; ours must not go past them."""
    assert not _found(_HOSTS)


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"])
def test_what_every_project_has_is_there(name: str) -> None:
    assert _FILES[Path(name)].strip()


_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#([^)\s]+))?\)")


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "name", [name for name in _FILES if name.suffix == ".md"], ids=lambda name: str(name)
)
def test_links_lead_somewhere(name: Path) -> None:
    for target, anchor in _LINK.findall(_FILES[name]):
        file = (PROJECT / name).parent / target
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file.read_text()), f"{target}#{anchor}"


def test_every_page_of_the_documentation_is_listed() -> None:
    index = _FILES[Path("docs/README.md")]
    pages = [name.relative_to("docs") for name in _FILES if name.match("docs/*/*.md")]
    assert not [str(page) for page in pages if f"]({page})" not in index]


def test_every_benchmark_is_listed() -> None:
    index = _FILES[Path("bench/README.md")]
    modules = [name for name in _FILES if name.match("bench/*.py")]
    assert not [str(name) for name in modules if f"`{name.stem}" not in index]


def test_every_package_is_explained() -> None:
    told = _FILES[Path("docs/explanation/architecture.md")]
    packages = {folder.parent.name for folder in SOURCE.glob("*/__init__.py")}
    assert not [name for name in packages if f"`{name}`" not in told]
