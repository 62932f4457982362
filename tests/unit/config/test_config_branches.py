"""Branches, and the host's apt configuration that the built-in one is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lapstrake.config import host_apt
from lapstrake.config.branches import BUILT_IN, built_in_list
from lapstrake.config.host_apt import host_entries, vendor_entries
from lapstrake.config.load import load_config
from lapstrake.config.model import Config, Rewrite
from lapstrake.errors import BranchError, ConfigError
from lapstrake.formats.sources_list import ListStyle, SourceEntry, parse
from lapstrake.names import BranchName

Write = Callable[..., Path]
LINE = "deb http://a.invalid/debian stable main\n"
STANZA = "Types: deb\nURIs: http://b.invalid/\nSuites: ./\n"


def test_branches_are_files(write: Write) -> None:
    config = load_config(write("", stable_list=LINE, testing_sources=STANZA, notes_txt="?"))
    found = config.branches()
    assert list(found) == [BranchName("stable"), BranchName("testing")]
    assert found[BranchName("stable")].text == LINE
    assert found[BranchName("stable")].style is ListStyle.ONE_LINE
    assert found[BranchName("testing")].entries[0].suites == ("./",)
    assert config.branch(BranchName("testing")) == found[BranchName("testing")]


def test_a_missing_list_names_the_file_to_create(write: Write) -> None:
    folder = write("", stable_list=LINE)
    with pytest.raises(BranchError, match="no branch 'testing'") as caught:
        load_config(folder).branch(BranchName("testing"))
    assert str(folder / "source_lists" / "testing.list") in caught.value.resolution
    assert "stable" in caught.value.details


def test_a_missing_folder_of_lists_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    config = load_config(tmp_path)
    assert config.branches() == {}
    with pytest.raises(BranchError):
        config.branch(BUILT_IN)


def test_a_wrong_list_is_named_with_its_line(write: Write) -> None:
    folder = write("", a_list="\n\ndeb x\n", good_list=LINE)
    config = load_config(folder)
    with pytest.raises(ConfigError) as caught:
        config.branches()
    assert caught.value.brief.startswith(f"{folder}/source_lists/a.list:3: ")
    assert config.branch(BranchName("good")).text == LINE


def test_two_lists_of_one_branch(write: Write) -> None:
    config = load_config(write("", a_list=LINE, a_sources=STANZA))
    with pytest.raises(ConfigError, match="both there"):
        config.branch(BranchName("a"))


def test_a_file_that_names_no_branch(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"all.list: 'all' cannot name a branch"):
        load_config(write("", all_list=LINE)).branches()


def test_without_configuration_there_is_one_branch() -> None:
    config = Config()
    assert list(config.branches()) == [BUILT_IN]
    assert config.branch(BUILT_IN) == built_in_list()
    with pytest.raises(BranchError, match="there is only stable"):
        config.branch(BranchName("testing"))


def test_the_built_in_list_says_the_same_in_text_and_values() -> None:
    built_in = built_in_list()
    assert parse(built_in.text, origin="x", style=built_in.style) == built_in.entries


APT = {
    "sources.list": "deb http://m.invalid/debian/ bookworm main contrib\n"
    "deb-src http://m.invalid/debian bookworm main\n",
    "sources.list.d/debian.sources": "Types: deb deb-src\nURIs: http://m.invalid/debian-security\n"
    "Suites: bookworm-security trixie\nComponents: main\n"
    "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
    "sources.list.d/docker.list": "deb [signed-by=/etc/apt/keyrings/docker.asc]"
    " https://d.invalid/linux/debian bookworm stable\n",
    "sources.list.d/other.list": "deb [signed-by=/k/other.gpg] https://o.invalid/ bookworm main\n",
    "sources.list.d/flat.list": "deb https://f.invalid/ bookworm/\n",
    "sources.list.d/off.sources": "Enabled: no\nTypes: deb\nURIs: http://n.invalid\n"
    "Suites: bookworm\nComponents: main\n",
    "sources.list.d/broken.list": "what is this\n",
    "sources.list.d/old.list.save": "deb http://s.invalid/ bookworm main\n",
}


@pytest.fixture
def apt_dir(tmp_path: Path) -> Path:
    """An apt configuration with the vendor's sources, and others'."""
    (tmp_path / "apt" / "sources.list.d").mkdir(parents=True)
    for name, text in APT.items():
        (tmp_path / "apt" / name).write_text(text)
    return tmp_path / "apt"


def test_only_the_vendors_own_suites_are_taken(apt_dir: Path) -> None:
    own = vendor_entries(host_entries(apt_dir), vendor="debian", codename="bookworm")
    assert [(each.types, each.uris, each.suites) for each in own] == [
        (("deb",), ("http://m.invalid/debian/",), ("bookworm",)),
        (("deb",), ("http://m.invalid/debian-security",), ("bookworm-security",)),
    ]


@pytest.mark.parametrize(
    ("vendor", "codename"), [("debian", "sid"), ("debian", ""), ("arch", "bookworm"), ("", "")]
)
def test_other_hosts_have_none(apt_dir: Path, vendor: str, codename: str) -> None:
    assert vendor_entries(host_entries(apt_dir), vendor=vendor, codename=codename) == ()


def test_a_host_without_apt_has_no_entries(tmp_path: Path) -> None:
    assert host_entries(tmp_path / "nothing") == ()


def test_archive_urls_go_to_the_hosts_own_archive(
    apt_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
    monkeypatch.setattr(host_apt, "os_release", lambda: release)
    assert host_apt.archive_uris(apt_dir) == ("http://m.invalid/debian/",)


def test_own_rules_come_before_the_built_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_apt, "archive_uris", lambda: ("http://m.invalid/",))
    built_in = Rewrite(prefix="debian:///", replacements=("http://m.invalid/",))
    own = Rewrite(prefix="https://a/", replacements=("https://b/",))
    instead = Rewrite(prefix="debian:///pool/", replacements=("https://c/",))
    assert Config(rewrites=(own,)).rewrite_rules() == (own, built_in)
    assert Config(rewrites=(instead,)).rewrite_rules() == (instead,)


def test_entries_without_a_keyring_count_by_their_components() -> None:
    ubuntu = SourceEntry(
        types=("deb",), uris=("http://u",), suites=("noble",), components=("main", "universe")
    )
    assert vendor_entries([ubuntu], vendor="ubuntu", codename="noble") == (ubuntu,)
    assert vendor_entries([ubuntu], vendor="debian", codename="noble") == ()
