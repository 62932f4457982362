"""Changing and starting a configuration."""

from __future__ import annotations

import multiprocessing
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from lapstrake.config.edit import set_value
from lapstrake.config.load import load_config, read_text
from lapstrake.config.model import Config, Secret
from lapstrake.config.read import all_settings
from lapstrake.config.start import start_text, write_start
from lapstrake.errors import ConfigError

Write = Callable[..., Path]


def test_comments_and_order_stay(write: Write) -> None:
    folder = write("# head\nwork_dir = '/a' # why\n\n[limits] # mine\n# keep\ntime = '1h'\n")
    set_value(folder / "config.toml", "limits.time", "2h")
    set_value(folder / "config.toml", "arch", "arm64")
    assert (folder / "config.toml").read_text() == (
        '# head\nwork_dir = \'/a\' # why\narch = "arm64"\n\n[limits] # mine\n# keep\ntime = "2h"\n'
    )


@pytest.mark.parametrize(
    ("key", "text", "plain"),
    [
        ("build.jobs", "3", 3),
        ("build.keep_failed", "yes", True),
        ("limits.cpus", "1.5", 1.5),
        ("limits.memory", "4GiB", "4GiB"),
        ("base.packages", "a b", ["a", "b"]),
        ("tree", "/a:/b c", ["/a", "/b c"]),
    ],
)
def test_values_have_toml_types(write: Write, key: str, text: str, plain: object) -> None:
    file = write() / "config.toml"
    set_value(file, key, text)
    table, _, name = key.rpartition(".")
    raw = tomllib.loads(file.read_text())
    assert (raw[table] if table else raw)[name] == plain
    load_config(file.parent)


def test_entries_of_tables(write: Write) -> None:
    folder = write()
    file = folder / "config.toml"
    set_value(file, "mirrors.https://a.b/c.d/", "https://x/ https://y/")
    set_value(file, "dependency_names.glibc", "libc6")
    set_value(file, "secrets.T.env", "VARIABLE")
    set_value(file, "secrets.T.file", "/file")
    config = load_config(folder)
    assert [(r.prefix, r.replacements) for r in config.rewrites] == [
        ("https://a.b/c.d/", ("https://x/", "https://y/"))
    ]
    assert config.dependency_names == {"glibc": "libc6"}
    assert config.secrets == {"T": Secret(name="T", file=Path("/file"))}


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("limits.memory", "x", r"limits.memory: 'x' is not a size"),
        ("limits.memmory", "1", r"no key 'limits.memmory'; did you mean 'limits.memory'"),
        ("limits", "1", r"no key 'limits'"),
        ("build.jobs", "many", r"build.jobs: 'many' is not a whole number"),
        ("build.keep_failed", "perhaps", r"neither true nor false"),
        ("secrets.T", "x", r"no key 'secrets.T'"),
        ("mirrors.a", "", r"mirrors.a: the prefix and its replacements"),
    ],
)
def test_what_is_wrong_is_not_written(write: Write, key: str, text: str, says: str) -> None:
    file = write("# mine\n") / "config.toml"
    with pytest.raises(ConfigError, match=says):
        set_value(file, key, text)
    assert file.read_text() == "# mine\n"
    assert [path.name for path in file.parent.iterdir() if path.is_file()] == ["config.toml"]


def test_a_wrong_file_is_left_alone(write: Write) -> None:
    file = write("arch = \n") / "config.toml"
    with pytest.raises(ConfigError, match=r"config.toml:1: not TOML"):
        set_value(file, "arch", "amd64")
    assert file.read_text() == "arch = \n"


def test_links_and_modes_stay(write: Write, tmp_path: Path) -> None:
    file = write() / "config.toml"
    real = tmp_path / "real.toml"
    real.write_text("")
    real.chmod(0o640)
    file.unlink()
    file.symlink_to(real)
    set_value(file, "arch", "amd64")
    assert file.is_symlink()
    assert real.read_text() == 'arch = "amd64"\n'
    assert real.stat().st_mode & 0o777 == 0o640


def test_two_at_once_lose_nothing(write: Write) -> None:
    file = write() / "config.toml"
    keys = ["repository.origin", "repository.label", "build.maintainer", "base.variant"]
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=set_value, args=(file, key, "x")) for key in keys]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    config = load_config(file.parent)
    assert {str(config.origin(key).kind) for key in keys} == {"file"}


def test_the_starting_file_changes_nothing() -> None:
    assert tomllib.loads(start_text()).keys() >= {"limits", "mirrors", "secrets"}
    assert read_text(start_text(), file=Path("/x/config.toml")).origins == {}


def test_every_line_of_the_starting_file_can_be_used() -> None:
    text = re.sub(r"(?m)^#(?=[\w\"]+ = )", "", start_text())
    config = read_text(text, file=Path("/x/config.toml"))
    tables = {"dependency_names.glibc", "secrets.TOKEN"}
    assert set(config.origins) == {*all_settings(), *tables}
    assert config.cache == Config().cache
    assert config.dependency_names == {"glibc": "libc6"}
    assert config.secrets == {"TOKEN": Secret(name="TOKEN", env="MY_TOKEN")}


def test_starting(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    written = write_start(folder)
    assert {path.name for path in written} == {"config.toml", "stable.sources"}
    config = load_config(folder)
    assert config.branches().keys() == Config().branches().keys()
    assert [each.entries for each in config.branches().values()] == [
        each.entries for each in Config().branches().values()
    ]
    with pytest.raises(ConfigError, match="is there already"):
        write_start(folder)


def test_starting_keeps_a_list_that_is_there(tmp_path: Path) -> None:
    lists = tmp_path / "source_lists"
    lists.mkdir()
    (lists / "stable.list").write_text("deb http://a s main\n")
    assert [path.name for path in write_start(tmp_path)] == ["config.toml"]
    assert [each.style for each in load_config(tmp_path).branches().values()] == ["list"]
