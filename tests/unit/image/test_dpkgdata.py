"""dpkg's files and the linker's cache, cut down to what an image has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lapstrake.image.dpkgdata import (
    age_shadow,
    filter_alternatives,
    filter_diversions,
    filter_file_triggers,
    filter_overrides,
    filter_status,
    filter_triggers,
)
from lapstrake.image.ldcache import _ENTRY, _HEADER, _MAGIC, filter_cache

EDITOR = """auto
/usr/bin/editor
editor.1.gz
/usr/share/man/man1/editor.1.gz

/bin/nano
40
/usr/share/man/man1/nano.1.gz
/usr/bin/vim
50

/usr/bin/ed
-10
/usr/share/man/man1/ed.1.gz

"""


def test_status_is_sorted_and_cut_down() -> None:
    text = (
        "Package: zlib1g\nArchitecture: amd64\nStatus: install ok installed\n\n"
        "Package: zlib1g\nArchitecture: i386\nStatus: install ok installed\n\n"
        "Package: hello\nArchitecture: amd64\nConffiles:\n /etc/h 123\nDescription: x\n y\n\n"
        "Package: other\nArchitecture: all\n\n"
    )
    filtered = filter_status(text, {"hello", "zlib1g:amd64"})
    assert [part.splitlines()[0] for part in filtered.split("\n\n") if part] == [
        "Package: hello",
        "Package: zlib1g",
    ]
    assert " /etc/h 123\n" in filtered
    assert "i386" not in filtered
    assert filtered.endswith("\n\n")


def test_diversions_overrides_and_triggers() -> None:
    text = "/a\n/a.real\nhello\n/b\n/b.real\ngone\n/c\n/c.real\n:\n"
    assert filter_diversions(text, {"hello"}) == "/a\n/a.real\nhello\n/c\n/c.real\n:\n"
    text = "root root 4755 /bin/x y\nroot root 2755 /bin/z\n"
    assert filter_overrides(text, {"/bin/x y"}.__contains__) == "root root 4755 /bin/x y\n"
    assert filter_file_triggers("/a b/c hello\n/d gone/noawait\n", {"hello"}) == "/a b/c hello\n"
    assert filter_triggers("hello/noawait\ngone\n", {"hello"}) == "hello/noawait\n"


def test_passwords_have_one_age() -> None:
    assert age_shadow("root:*:20777:0:99999:7:::\nx:!::::::\n", 5) == (
        "root:*:5:0:99999:7:::\nx:!::::::\n"
    )


def test_alternatives_keep_the_chosen_one() -> None:
    there = {"/bin/nano", "/usr/bin/ed"}
    left = filter_alternatives("editor", EDITOR, "/usr/bin/ed", there.__contains__)
    assert left is not None
    assert left.links == {
        "editor": "/usr/bin/ed",
        "editor.1.gz": "/usr/share/man/man1/ed.1.gz",
    }
    assert "/usr/bin/vim" not in left.text


def test_alternatives_choose_the_best_of_the_rest() -> None:
    left = filter_alternatives(
        "editor", EDITOR, "/usr/bin/vim", {"/bin/nano", "/usr/bin/ed"}.__contains__
    )
    assert left is not None
    assert left.links["editor"] == "/bin/nano"
    assert filter_alternatives("editor", EDITOR, "/usr/bin/vim", lambda _: False) is None
    whole = filter_alternatives("editor", EDITOR, "/usr/bin/vim", lambda _: True)
    assert whole is not None
    assert whole.text == EDITOR
    assert whole.links == {"editor": "/usr/bin/vim"}  # it has no such slave


@pytest.mark.parametrize("text", ["", "auto", "auto\n/x\n", "auto\n/x\ny\n/z\n\n/a\nmany\n/b\n\n"])
def test_files_that_are_no_alternatives(text: str) -> None:
    assert filter_alternatives("x", text, "", lambda _: True) is None


def test_update_alternatives_reads_what_is_written(tmp_path: Path) -> None:
    for name in ("admin", "alt"):
        (tmp_path / name).mkdir()
    tools = []
    for name in ("one", "two"):
        tool = tmp_path / name
        tool.write_text("")
        tools.append(tool)
    program = [
        "update-alternatives", "--quiet", "--admindir", f"{tmp_path}/admin",
        "--altdir", f"{tmp_path}/alt", "--log", f"{tmp_path}/log",
    ]  # fmt: skip
    for priority, tool in enumerate(tools):
        link = str(tmp_path / "tool")
        subprocess.run([*program, "--install", link, "tool", tool, str(priority)], check=True)
    file = tmp_path / "admin" / "tool"
    left = filter_alternatives("tool", file.read_text(), str(tools[1]), str(tools[0]).__eq__)
    assert left is not None
    file.write_text(left.text)
    for name, target in left.links.items():
        (tmp_path / "alt" / name).unlink()
        (tmp_path / "alt" / name).symlink_to(target)
    said = subprocess.run(
        [*program, "--query", "tool"], check=True, capture_output=True, text=True
    ).stdout
    assert f"Alternative: {tools[0]}" in said
    assert str(tools[1]) not in said


def test_the_linker_s_cache(tmp_path: Path) -> None:
    ldconfig = shutil.which("ldconfig", path="/usr/sbin:/sbin")
    cache = Path("/etc/ld.so.cache")
    if ldconfig is None or not cache.exists():
        pytest.skip("this host has no ld.so.cache")

    def listed(file: Path) -> list[str]:
        said = subprocess.run(
            [ldconfig, "-C", str(file), "-p"], check=True, capture_output=True, text=True
        )
        return [line.strip() for line in said.stdout.splitlines() if "=>" in line]

    whole = listed(cache)
    wanted = {line.rpartition(" => ")[2] for line in whole[::3]}
    data = filter_cache(cache.read_bytes(), wanted.__contains__)
    assert data is not None
    (tmp_path / "cache").write_bytes(data)
    assert listed(tmp_path / "cache") == [
        line for line in whole if line.rpartition(" => ")[2] in wanted
    ]
    assert filter_cache(data[:70], lambda _: True) is None
    assert filter_cache(b"ld.so-1.7.0" + data, lambda _: True) is None


def test_a_linker_s_cache_whose_entries_share_a_long_text_is_not_understood() -> None:
    text = b"/" + b"a" * 4000 + b"\0"
    begin = _HEADER.size + 500 * _ENTRY.size
    data = _HEADER.pack(_MAGIC, 500, len(text), 2, 0) + _ENTRY.pack(3, begin, begin, 0, 0) * 500
    assert filter_cache(data + text, lambda _: True) is None
    assert filter_cache(data + text * 300, lambda _: True) is not None
