"""``lapstrake config`` as a user runs it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A small configuration."""
    folder = tmp_path / "conf"
    (folder / "source_lists").mkdir(parents=True)
    (folder / "config.toml").write_text(
        'work_dir = "/w"\n[limits]\nmemory = "4GiB"\n[mirrors]\n"https://a/" = "https://b/"\n'
        '[dependency_names]\nx = ""\n[secrets]\nT = { env = "TOKEN" }\n'
        '[[rewrite]]\nfrom = "https://c/"\nto = ["https://d/", "https://e/"]\n'
    )
    (folder / "source_lists" / "broken.list").write_text("this is no list\n")
    return folder


def test_all_values_and_where_they_came_from(lapstrake: Run, conf: Path) -> None:
    done = lapstrake("-c", str(conf), "--set", "arch=arm64", "config", LAPSTRAKE_BUILD_JOBS="2")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.stdout.splitlines()}
    assert rows["work_dir"] == ["/w", f"{conf}/config.toml:1"]
    assert rows["limits.memory"] == ["4GiB", f"{conf}/config.toml:3"]
    assert rows["arch"] == ["arm64", "--set arch"]
    assert rows["build.jobs"] == ["2", "LAPSTRAKE_BUILD_JOBS"]
    assert rows["limits.disk"] == ["-", "default"]
    assert rows["mirrors.https://a/"] == ["https://b/", f"{conf}/config.toml:5"]
    assert rows["rewrite.1"][0] == "https://c/"
    assert rows["rewrite.1"][1].split() == [
        "→", "https://d/,", "https://e/", f"{conf}/config.toml:10"
    ]  # fmt: skip
    assert rows["dependency_names.x"] == ["-", f"{conf}/config.toml:7"]
    assert rows["secrets.T.env"] == ["TOKEN", f"{conf}/config.toml:9"]
    lists = conf / "source_lists"
    assert rows["branches.broken"] == [f"{lists}/broken.list", str(lists)]


def test_json(lapstrake: Run, conf: Path) -> None:
    document = json.loads(lapstrake("-c", str(conf), "config", "--json", TOKEN="hidden").stdout)
    assert document["folder"] == str(conf)
    assert document["settings"]["limits.memory"] == {
        "value": "4GiB",
        "origin": {"kind": "file", "place": f"{conf}/config.toml:3"},
    }
    assert document["settings"]["limits.disk"]["value"] is None
    assert document["settings"]["build.keep_failed"]["value"] is False

    def at(line: int) -> dict[str, str]:
        return {"kind": "file", "place": f"{conf}/config.toml:{line}"}

    assert document["rewrites"] == [
        {"from": "https://a/", "to": ["https://b/"], "origin": at(5)},
        {"from": "https://c/", "to": ["https://d/", "https://e/"], "origin": at(10)},
    ]
    assert document["dependency_names"] == {"x": {"package": "", "origin": at(7)}}
    assert document["secrets"] == {"T": {"env": "TOKEN", "origin": at(9)}}
    broken = str(conf / "source_lists/broken.list")
    assert document["branches"] == [{"name": "broken", "file": broken}]
    assert "hidden" not in json.dumps(document)


def test_get(lapstrake: Run, conf: Path) -> None:
    def get(key: str, **variables: str) -> str:
        return lapstrake("-c", str(conf), "config", "get", key, **variables).stdout

    assert get("limits.memory") == "4GiB\n"
    assert get("limits.disk") == ""
    assert get("build.keep_failed") == "false\n"
    assert get("tree", LAPSTRAKE_TREE="/a:/b") == "/a\n/b\n"


def test_get_tables_and_their_entries(lapstrake: Run, conf: Path) -> None:
    def get(key: str) -> str:
        done = lapstrake("-c", str(conf), "config", "get", key)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    words = ("config", "set", "mirrors.https://m.example/", "https://n/ https://o/")
    assert lapstrake("-c", str(conf), *words).returncode == 0
    assert get("mirrors.https://m.example/") == "https://n/\nhttps://o/\n"
    assert get("mirrors").splitlines() == [
        "https://a/ = https://b/",
        "https://m.example/ = https://n/ https://o/",
    ]
    assert get("rewrite") == "1 = https://c/ → https://d/, https://e/\n"
    assert get("secrets.T.env") == "TOKEN\n"
    assert get("secrets.T") == "env = TOKEN\n"
    assert get("branches.broken") == f"{conf}/source_lists/broken.list\n"
    assert lapstrake("-c", str(conf), "config", "get", "mirrors.https://z/").returncode == 3


def test_an_empty_table_is_nothing_to_get(lapstrake: Run) -> None:
    done = lapstrake("config", "get", "mirrors")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_get_an_unknown_key(lapstrake: Run) -> None:
    done = lapstrake("config", "get", "limit.memory")
    assert done.returncode == 3
    assert "did you mean 'limits.memory'?" in done.stderr


def test_set_then_get(lapstrake: Run, conf: Path) -> None:
    assert lapstrake("-c", str(conf), "config", "set", "limits.time", "2h").returncode == 0
    assert lapstrake("-c", str(conf), "config", "get", "limits.time").stdout == "2h\n"
    wrong = lapstrake("-c", str(conf), "config", "set", "limits.time", "never")
    assert wrong.returncode == 3
    assert "limits.time: 'never' is not a duration" in wrong.stderr
    assert lapstrake("-c", str(conf), "config", "get", "limits.time").stdout == "2h\n"


def test_path_init_and_set_without_a_folder(lapstrake: Run, tmp_path: Path) -> None:
    folder = str(tmp_path / "new")
    missing = lapstrake("-c", folder, "config", "path")
    assert missing.returncode == 3
    assert f"lapstrake -c {folder} config init" in missing.stderr
    made = lapstrake("-c", folder, "config", "init")
    assert made.stdout.splitlines()[-1] == f"{folder}/config.toml"
    assert lapstrake("config", "path", LAPSTRAKE_CONFIG=folder).stdout == f"{folder}\n"
    assert lapstrake("config", "set", "arch", "arm64", LAPSTRAKE_CONFIG=folder).returncode == 0
    again = lapstrake("-c", folder, "config", "init")
    assert again.returncode == 3
    assert "is there already" in again.stderr


def test_misspelt_variables_are_warned_of(lapstrake: Run, conf: Path) -> None:
    (conf / "config.toml").write_text('[secrets]\nT = { env = "LAPSTRAKE_TOKEN" }\n')
    variables = dict.fromkeys(
        ("LAPSTRAKE_DEBUG", "LAPSTRAKE_TEST_X", "LAPSTRAKE_TOKEN", "LAPSTRAKE_DL_DIR"), "/x"
    )
    wrong = {"LAPSTRAKE_CACHE_BUDGT": "3", "LAPSTRAKE_JOBS": "2", "LAPSTRAKE_ZZZ": "1"}
    words = ("-c", str(conf), "config", "get", "build.jobs")
    assert lapstrake(*words, **variables).stderr == ""
    done = lapstrake(*words, **variables, **wrong)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "warning: LAPSTRAKE_CACHE_BUDGT is set, but means nothing;"
        " did you mean LAPSTRAKE_CACHE_BUDGET?",
        "warning: LAPSTRAKE_JOBS is set, but means nothing; did you mean LAPSTRAKE_BUILD_JOBS?",
        "warning: LAPSTRAKE_ZZZ is set, but means nothing",
    ]


def test_variables_of_a_build_are_not_warned_of(lapstrake: Run) -> None:
    done = lapstrake("config", "get", "arch", LAPSTRAKE_BUILDROOT="/b", LAPSTRAKE_SRCDIR="/s")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_file_names_line_and_key(lapstrake: Run, conf: Path) -> None:
    (conf / "config.toml").write_text("\n[limits]\nmemry = 1\n")
    done = lapstrake("-c", str(conf), "config")
    assert done.returncode == 3
    assert done.stderr.startswith(
        f"error: {conf}/config.toml:3: unknown key 'limits.memry'; did you mean 'memory'?\n"
    )
    assert "Traceback" not in done.stderr


def test_json_goes_with_no_subcommand(lapstrake: Run) -> None:
    assert lapstrake("config", "--json", "path").returncode == 2
