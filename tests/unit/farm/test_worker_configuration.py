"""What the server decides for its workers, and what stays theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lapstrake.baseos.configured import configured_base
from lapstrake.config.load import load_config
from lapstrake.config.model import BaseMethod, Config
from lapstrake.errors import FarmError
from lapstrake.farm.contents.stack import BaseRecipe, ListText, StackDocument, StackSettings
from lapstrake.farm.worker.configured import configured
from lapstrake.formats.checksum import parse_digest
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.runner.choose import load

LISTED = ListText(style="list", text="deb http://example.org/debian sid main\n")
SUM = "sha256:" + "5" * 64
DOCUMENT = StackDocument(
    branch="sid",
    arch="arm64",
    listed=LISTED,
    settings=StackSettings(
        maintainer="A <a@example.org>",
        dependency_names={"glibc": "libc6"},
        base=BaseRecipe(
            method="oci", suite="sid", variant="apt", url="docker://x", checksum=SUM, listed=LISTED
        ),
    ),
)


@pytest.fixture
def own(tmp_path: Path) -> Config:
    """A worker's own configuration."""
    return load_config(None, overrides={"work_dir": str(tmp_path), "build.jobs": "3"})


def test_what_the_server_decides(own: Config, tmp_path: Path) -> None:
    found = configured(own, DOCUMENT)
    assert found.work_dir == tmp_path / "worker"
    assert found.branch(BranchName("sid")).text == LISTED.text
    assert found.build.maintainer == "A <a@example.org>"
    assert found.dependency_names == {"glibc": "libc6"}
    assert found.build.jobs == 3
    base = configured_base(Workplace(config=found, runner=load("userns"), progress=Silent()))
    assert (base.method, base.url) == (BaseMethod.OCI, "docker://x")
    assert base.checksum == parse_digest(SUM)
    assert base.source_list is not None
    assert base.source_list.read_text() == LISTED.text


def test_a_list_changes_its_style(own: Config) -> None:
    configured(own, DOCUMENT)
    text = "Types: deb\nURIs: http://example.org\nSuites: x\nComponents: main\n"
    other = replace(DOCUMENT, listed=ListText(style="sources", text=text))
    assert configured(own, other).branch(BranchName("sid")).text == text


@pytest.mark.parametrize(
    "document",
    [
        replace(DOCUMENT, listed=None),
        replace(DOCUMENT, listed=ListText(style="../x", text="")),
        replace(
            DOCUMENT,
            settings=StackSettings(base=BaseRecipe(method="magic", suite="sid", variant="apt")),
        ),
    ],
)
def test_what_is_not_understood(own: Config, document: StackDocument) -> None:
    with pytest.raises(FarmError):
        configured(own, document)
