"""Finding and reading the configuration."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lapstrake.config import places
from lapstrake.config.load import load_config
from lapstrake.config.model import BaseMethod, Config, OriginKind, Rewrite, Secret, host_arch
from lapstrake.config.places import default_work_dir, find_config_dir
from lapstrake.config.read import Given, all_settings, read_config
from lapstrake.config.setting import sections_of
from lapstrake.config.view import show
from lapstrake.errors import ConfigError
from lapstrake.names import Arch, Digest

Write = Callable[..., Path]

FULL = f"""
work_dir = "/srv/work"
arch = "loongarch64"
tree = ["trees/a", "/trees/b"]

[base]
method = "tarball"
url = "base.tar.zst"
checksum = "sha256:{"ab" * 32}"
packages = ["ca-certificates"]

[limits]
memory = "4GiB"
disk = 1000
time = "1h30m"
cpus = 2

[build]
keep_failed = true

[mirrors]
"https://a/" = "https://b/"

[[rewrite]]
from = "https://c/"
to = ["https://d/", "https://e/"]

[dependency_names]
glibc = "libc6"
gone = ""

[secrets]
TOKEN = {{ env = "MY_TOKEN" }}
NETRC = {{ file = "netrc" }}
"""


def test_nothing_configured_gives_defaults(home: Path) -> None:
    config = load_config()
    assert config == Config()
    assert config.folder is None
    assert config.arch == host_arch()
    assert config.cache.download_dir == home / ".cache/lapstrake/downloads"
    assert config.origin("work_dir").kind is OriginKind.DEFAULT


def test_everything_configured(write: Write) -> None:
    folder = write(FULL)
    config = load_config(folder)
    assert (config.work_dir, config.arch) == (Path("/srv/work"), Arch.LOONG64)
    assert config.tree == (folder / "trees/a", Path("/trees/b"))
    assert config.base.method is BaseMethod.TARBALL
    assert config.base.checksum == Digest("sha256", "ab" * 32)
    assert config.base.packages == ("ca-certificates",)
    assert (config.limits.memory, config.limits.disk) == (4 * 1024**3, 1000)
    assert (config.limits.time, config.limits.cpus) == (5400.0, 2.0)
    assert config.limits.processes is None
    assert config.build.keep_failed is True
    assert config.rewrites == (
        Rewrite(prefix="https://a/", replacements=("https://b/",)),
        Rewrite(prefix="https://c/", replacements=("https://d/", "https://e/")),
    )
    assert config.dependency_names == {"glibc": "libc6", "gone": ""}
    assert config.secrets == {
        "TOKEN": Secret(name="TOKEN", env="MY_TOKEN"),
        "NETRC": Secret(name="NETRC", file=folder / "netrc"),
    }
    assert config.folder == folder


def test_origins(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write('\nwork_dir = "/a"\narch = "amd64"\n[limits]\nmemory = "1G"\ntime = "1h"\n')
    monkeypatch.setenv("LAPSTRAKE_WORK_DIR", "/b")
    monkeypatch.setenv("LAPSTRAKE_LIMITS_MEMORY", "2GiB")
    config = load_config(folder, overrides={"limits.memory": "3GiB"})
    assert config.work_dir == Path("/b")
    assert config.limits.memory == 3 * 1024**3
    assert str(config.origin("work_dir")) == "LAPSTRAKE_WORK_DIR"
    assert config.origin("work_dir").kind is OriginKind.ENVIRONMENT
    assert config.origin("limits.memory").kind is OriginKind.COMMAND_LINE
    assert str(config.origin("arch")) == f"{folder}/config.toml:3"
    assert str(config.origin("limits.time")) == f"{folder}/config.toml:6"
    assert str(config.origin("limits.disk")) == "default"


def test_the_environment_gives_numbers_truths_and_lists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAPSTRAKE_BUILD_JOBS", "3")
    monkeypatch.setenv("LAPSTRAKE_BUILD_KEEP_FAILED", "yes")
    monkeypatch.setenv("LAPSTRAKE_LIMITS_CPUS", "0.5")
    monkeypatch.setenv("LAPSTRAKE_TREE", "/a:b")
    monkeypatch.setenv("LAPSTRAKE_BASE_PACKAGES", "x y")
    monkeypatch.setenv("LAPSTRAKE_ARCH", "")  # as if it were not set
    config = load_config()
    assert (config.build.jobs, config.build.keep_failed, config.limits.cpus) == (3, True, 0.5)
    assert config.tree == (Path("/a"), tmp_path / "b")
    assert config.base.packages == ("x", "y")
    assert config.arch == host_arch()


def test_download_dir_has_two_more_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NERVES_DL_DIR", "/n")
    assert load_config().cache.download_dir == Path("/n")
    monkeypatch.setenv("LAPSTRAKE_DL_DIR", "/l")
    assert load_config().cache.download_dir == Path("/l")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("work_dri = '/x'", 1, "unknown key 'work_dri'; did you mean 'work_dir'?"),
        ("[limits]\n\nmemmory = 1", 3, "unknown key 'limits.memmory'; did you mean 'memory'?"),
        ("zzz = 1", 1, "unknown key 'zzz'"),
        ("work_dir = ''", 1, "work_dir: the path is empty"),
        ("work_dir = 'x'", 1, "work_dir: 'x' is not an absolute path"),
        ("work_dir = 7", 1, "work_dir: 7 is not a text"),
        ("arch = 'amd46'", 1, "arch: 'amd46' is not an architecture"),
        ("tree = [1]", 1, "tree: 1 is not a text"),
        ("\n[base]\nmethod = 'tar'", 3, "base.method: 'tar' is none of"),
        ("[base]\nchecksum = 'md5:12'", 2, "base.checksum: 'md5:12' is not a checksum"),
        ("[base]\nchecksum = 'abcd'", 2, "has not the length"),
        ("[limits]\nmemory = 'much'", 2, "limits.memory: 'much' is not a size"),
        ("[limits]\nmemory = 0", 2, "limits.memory: 0 is nothing"),
        ("[limits]\nmemory = true", 2, "limits.memory: True is not a size"),
        ("[limits]\ntime = 'soon'", 2, "limits.time: 'soon' is not a duration"),
        ("[limits]\ncpus = -1", 2, "limits.cpus: -1 is not a number above 0"),
        ("[limits]\nprocesses = 1.5", 2, "limits.processes: 1.5 is not a whole number from 1"),
        ("[build]\nkeep_failed = 'yes'", 2, "build.keep_failed: 'yes' is neither true nor false"),
        ("limits = 3", 1, "limits: 3 is not a table"),
        ("mirrors = 3", 1, "mirrors: 3 is not a table"),
        ("[mirrors]\na = ['']", 2, "mirrors.a: the prefix and its replacements"),
        ("rewrite = 1", 1, "rewrite: is not an array of tables"),
        ("[[rewrite]]\nfrom = 'a'\nto = 'b'\n[[rewrite]]\nfrom = 'c'", 4, "needs both from and to"),
        ("[[rewrite]]\nfrom = 'a'\nto = 'b'\nvia = 'c'", 4, "unknown key 'rewrite.1.via'"),
        ("[dependency_names]\na = 1", 2, "dependency_names.a: 1 is not a text"),
        ("[secrets]\nA = 'x'", 2, "secrets.A: a secret is written as"),
        ("[secrets]\nA = { env = 'x', file = 'y' }", 2, "secrets.A: a secret is written as"),
        ("[secrets]\nA = { env = '' }", 2, "secrets.A.env: the variable's name is empty"),
        ("a = 1\nb = = 2", 2, "not TOML"),
        ("a = [", 1, "not TOML"),
        ("a = " + "9" * 5000, 1, "not TOML"),
    ],
)
def test_errors_name_file_line_and_key(write: Write, text: str, line: int, says: str) -> None:
    folder = write(text)
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    assert caught.value.brief.startswith(f"{folder}/config.toml:{line}: ")
    assert says in caught.value.brief


def test_all_problems_are_told_at_once(write: Write) -> None:
    folder = write("[limits]\nmemory = 'x'\ntime = 'y'\n[runner]\nname = 'z'\n")
    with pytest.raises(ConfigError) as caught:
        load_config(folder)
    assert "limits.memory" in caught.value.brief
    assert "config.toml:3: limits.time" in caught.value.details
    assert "config.toml:5: runner.name" in caught.value.details


def test_errors_name_the_variable_or_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPSTRAKE_LIMITS_TIME", "later")
    with pytest.raises(ConfigError, match=r"LAPSTRAKE_LIMITS_TIME: limits.time: 'later'"):
        load_config()
    monkeypatch.delenv("LAPSTRAKE_LIMITS_TIME")
    with pytest.raises(ConfigError, match=r"--set limits.time: 'later'"):
        load_config(overrides={"limits.time": "later"})
    with pytest.raises(ConfigError, match=r"unknown key 'limits.tiem'; .*'limits.time'"):
        load_config(overrides={"limits.tiem": "1h"})


def test_a_file_that_is_not_utf8(write: Write) -> None:
    folder = write()
    (folder / "config.toml").write_bytes(b"# a\n# \xff\n")
    with pytest.raises(ConfigError, match=r"config.toml:2: this is not UTF-8"):
        load_config(folder)


def test_where_the_folder_is_looked_for(
    write: Write, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def make(folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "config.toml").touch()
        return folder

    assert find_config_dir() is None
    system = make(places.SYSTEM_DIRS[0])
    assert find_config_dir() == system
    user = make(home / ".config" / "lapstrake")
    assert find_config_dir() == user
    named = make(tmp_path / "named")
    monkeypatch.setenv("LAPSTRAKE_CONFIG", str(named))
    assert find_config_dir() == named
    asked = write()
    assert find_config_dir(asked) == asked
    assert find_config_dir(asked / "config.toml") == asked


def test_an_asked_folder_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"gone \(-c\) is no configuration") as caught:
        find_config_dir(tmp_path / "gone")
    assert "config init" in caught.value.resolution
    monkeypatch.setenv("LAPSTRAKE_CONFIG", str(tmp_path))
    with pytest.raises(ConfigError, match=r"LAPSTRAKE_CONFIG"):
        find_config_dir()


def test_work_dir_of_users(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert default_work_dir() == home / ".local/share/lapstrake"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_work_dir() == Path("/data/lapstrake")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # to be ignored, says the specification
    assert default_work_dir() == home / ".local/share/lapstrake"


@pytest.mark.parametrize("key", list(all_settings()))
def test_defaults_can_be_shown_and_read_back(key: str) -> None:
    shown = show(Config(), key).value
    setting = all_settings()[key]
    plain = setting.kind.example if shown is None else shown
    read = setting.kind.read(plain)
    assert (None if read is None else setting.kind.show(read)) == (plain or shown)


def test_every_field_of_a_section_is_a_setting() -> None:
    for name, kind in sections_of(Config).items():
        for each in fields(kind):
            assert f"{name}.{each.name}" in all_settings()


def test_reading_the_configuration_stays_light(write: Write) -> None:
    folder = write(FULL)
    code = (
        "import sys; from pathlib import Path; from lapstrake.config.load import load_config; "
        f"load_config(Path({str(folder)!r})).branches(); "
        "print(*{'pydantic', 'tomlkit', 'rich', 'click', 'httpx2', 'debian'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


KEYS = [key.split(".") for key in all_settings()] + [
    ["mirrors", "https://a/"],
    ["rewrite"],
    ["dependency_names", "x"],
    ["secrets", "T"],
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1GiB", "2h", "/x", "~nobody-here/x", "sha256:00", datetime.date.min])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["from", "to", "env", "file", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=4))
def test_any_value_is_read_or_refused(pairs: list[tuple[list[str], object]]) -> None:
    raw: dict[str, object] = {}
    for (*tables, name), value in pairs:
        table = raw
        for each in tables:
            table = cast(dict[str, object], table.setdefault(each, {}))
        table[name] = value
    try:
        config = read_config(Given(raw=raw, file=Path("/conf/config.toml")))
    except ConfigError as error:
        brief = error.brief
    else:
        assert [show(config, key) for key in all_settings()]
        return
    assert brief.startswith("/conf/config.toml: ")
