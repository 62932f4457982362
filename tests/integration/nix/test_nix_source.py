"""Packages of Nix: found, built, linked, by the real program."""

from __future__ import annotations

import json
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lapstrake.config.model import Config
from lapstrake.errors import (
    ConfigError,
    FetchError,
    ImageError,
    LimitError,
    MissingError,
    StoreError,
    UsageError,
)
from lapstrake.host.process import find_program
from lapstrake.image.sources.base import Closure
from lapstrake.image.sources.nix import NixSource
from lapstrake.image.sources.nix_set import open_package_set
from lapstrake.names import Arch, GuestPath
from lapstrake.place.workplace import Workplace
from nix_packages import nix_place, nix_request, write_packages
from roots import Recorder, cli_command, cli_environment


def members_of(place: Workplace, *names: str) -> list[str]:
    with NixSource(place).open(nix_request(*names)) as closure:
        return sorted(member.id for member in closure.members.values())


def label(path: str) -> str:
    return path.partition("-")[2]


def test_a_closure_has_all_that_a_package_refers_to(place: Workplace) -> None:
    with NixSource(place).open(nix_request("hello")) as closure:
        assert sorted(label(path) for path in closure.members) == [
            "greeting-1.0", "hello-2.12", "nss-cacert-3.79", "tools",
        ]  # fmt: skip
        assert [label(path) for path in closure.graph.roots] == ["nss-cacert-3.79", "hello-2.12"]
        (hello,) = [n for n in closure.graph.nodes.values() if n.label == "hello-2.12"]
        assert sorted(label(path) for path in hello.references) == ["greeting-1.0", "tools"]
        greeting, tools = (
            next(n for n in closure.graph.nodes.values() if n.source == source)
            for source in ("greeting", "tools")
        )
        assert hello.closure_size == hello.size + greeting.size + tools.size
        member = closure.members[hello.name]
        assert member.target == GuestPath(hello.name)
        script = (member.tree / "bin/hello").read_text(encoding="utf-8")
        assert script.startswith(f"#!{tools.name}/busybox sh\n")
        assert member.facts["version"] == "2.12"
        assert closure.created == 1


def links(top: Path) -> dict[str, str]:
    return {
        str(path.relative_to(top)): label(str(path.readlink()))
        for path in sorted(top.rglob("*"))
        if path.is_symlink()
    }


def test_the_farm_merges_folders_and_settles_times(place: Workplace) -> None:
    with NixSource(place).open(nix_request("hello", "bashinteractive", "greeting")) as closure:
        (top,) = closure.top
        assert links(top) == {
            "bin/bash": "bash-interactive-5.1/bin/bash",
            "bin/hello": "hello-2.12/bin/hello",
            "bin/sh": "bash-interactive-5.1/bin/sh",
            "etc/ssl/certs/ca-bundle.crt": "nss-cacert-3.79/etc/ssl/certs/ca-bundle.crt",
            "share/greeting/shell": "bash-interactive-5.1/share/greeting/shell",
            "share/greeting/text": "greeting-1.0/share/greeting/text",
            "usr/bin/env": "",
        }
        assert (top / "usr/bin/env").readlink() == Path("/bin/env")
        assert stat.S_IMODE((top / "tmp").stat().st_mode) == 0o1777
        modes = {stat.S_IMODE(p.stat().st_mode) for p in top.rglob("*") if p.is_dir()}
        assert modes == {0o755, 0o1777}
        assert {path.lstat().st_mtime_ns for path in [top, *top.rglob("*")]} == {10**9}
        assert closure.env == {"SSL_CERT_FILE": "/etc/ssl/certs/ca-bundle.crt"}
        assert closure.command == ("bash",)
    assert not top.exists()


def test_without_the_interactive_shell_nothing_is_run(place: Workplace) -> None:
    with NixSource(place).open(nix_request("hello")) as closure:
        assert closure.command == ()


def test_a_path_that_is_a_file_comes_in_a_folder_of_its_own(place: Workplace) -> None:
    with NixSource(place).open(nix_request("license")) as closure:
        (path,) = [path for path in closure.members if path.endswith("-license")]
        member = closure.members[path]
        assert member.target == GuestPath("/nix/store")
        assert [f.read_text() for f in member.tree.iterdir()] == ["terms\n"]
        assert [f.name for f in member.tree.iterdir()] == [GuestPath(path).name]


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("xorg.xev", "xev-1"),
        ("haskellpackages.pandoc", "pandoc-2"),
        ("haskellpackages.cabal", "cabal-3"),
        ("1password", "1password-8"),
        ("twin", "twin-upper"),
        ("Twin", "twin-title"),
        ("bashinteractive", "bash-interactive-5.1"),
    ],
)
def test_names_as_a_registry_writes_them(place: Workplace, name: str, member: str) -> None:
    assert member in members_of(place, name)


def test_all_missing_names_are_told_and_nothing_is_built(nix_folder: Path) -> None:
    packages = write_packages(nix_folder / "packages")
    fresh = nix_place(nix_folder / "missing", path=packages)
    asked = ("hello", "nope", "a..b", "xorg.none", "aset", "gone", "haskellpackages", "hello.x")
    with pytest.raises(MissingError) as caught, NixSource(fresh).open(nix_request(*asked)):
        pass
    missing = ("a..b", "aset", "haskellpackages", "hello.x", "nope", "xorg.none")
    assert caught.value.names == missing
    assert json.loads(json.dumps(caught.value.document)) == {
        "error": "not_found", "pkgs": list(missing),
    }  # fmt: skip
    assert not list(Path(fresh.private, "nix/store/nix/store").glob("*-hello-2.12"))


def test_a_failing_build_shows_its_derivation_and_the_end_of_its_log(place: Workplace) -> None:
    with pytest.raises(ImageError) as caught, NixSource(place).open(nix_request("broken", "hello")):
        pass
    assert caught.value.brief == "nix: broken-1 could not be built"
    first, *rest = caught.value.details.splitlines()
    assert first.startswith("/nix/store/")
    assert first.endswith("-broken-1.drv")
    assert rest == [*(f"line {n}" for n in range(41, 60)), "it goes wrong"]


@pytest.mark.parametrize(
    ("name", "brief"),
    [
        ("gone", "nix: gone: gone was renamed to hello"),
        ("foreign", "nix: foreign is for mips-linux, not for x86_64-linux"),
    ],
)
def test_what_cannot_be_had_is_named(place: Workplace, name: str, brief: str) -> None:
    with pytest.raises(ImageError) as caught, NixSource(place).open(nix_request(name)):
        pass
    assert caught.value.brief == brief


def test_another_machine_is_asked_of_the_package_set(place: Workplace) -> None:
    request = nix_request("hello", arch=Arch.S390X)
    with pytest.raises(ImageError, match="s390x-linux") as caught, NixSource(place).open(request):
        pass
    assert "qemu-user-static" in caught.value.resolution


def test_a_build_is_ended_when_its_time_is_over(nix_folder: Path) -> None:
    hasty = nix_place(nix_folder / "work", path=nix_folder / "packages", timeout=1.0)
    with pytest.raises(LimitError, match="no end after 1 s"):
        with NixSource(hasty).open(nix_request("sleeper")):
            pass
    assert not sleepers()


def test_a_build_that_says_much_does_not_block(nix_folder: Path) -> None:
    class Listener(Recorder):
        heard = 0

        def output(self, data: bytes) -> None:
            self.heard += len(data)

    listener = Listener()
    quiet = nix_place(nix_folder / "work", path=write_packages(nix_folder / "packages"))
    with NixSource(Workplace(quiet.config, quiet.runner, listener)).open(nix_request("chatty")):
        pass
    assert listener.heard >= 1_500_000


def test_nothing_at_all_is_refused(tmp_path: Path, place: Workplace) -> None:
    (tmp_path / "default.nix").write_text("{ }")
    empty = nix_place(tmp_path, path=tmp_path)
    with (
        pytest.raises(UsageError, match="no package is named"),
        NixSource(empty).open(nix_request()),
    ):
        pass


def test_a_full_disk_is_called_so(nix_folder: Path, tmp_path: Path) -> None:
    size = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(tmp_path)]
    if subprocess.run(size, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        small = nix_place(tmp_path, path=nix_folder / "packages")
        with (
            pytest.raises(StoreError, match="No space left"),
            NixSource(small).open(nix_request("big")),
        ):
            pass
        with NixSource(small).open(nix_request("hello")) as closure:
            assert closure.members
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def sleepers() -> bytes:
    """The builds of ``sleeper`` that run."""
    pattern = "^[^ ]*busybox sleep 600$"
    return subprocess.run(["pgrep", "-f", pattern], capture_output=True, check=False).stdout


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert condition()


def test_a_killed_process_leaves_no_build_behind(nix_folder: Path, place: Workplace) -> None:
    if find_program("setpriv") is None:
        pytest.skip("needs setpriv (util-linux)")
    work_dir = place.config.work_dir
    words = ("--set", f"nix.path={nix_folder / 'packages'}", "image", "build", "nix", "sleeper")
    process = subprocess.Popen(
        cli_command(*words),
        env=cli_environment(work_dir, NIX_CONFIG="substituters ="),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(sleepers)
    finally:
        process.kill()
        process.wait()
    until(lambda: not sleepers())
    assert "hello-2.12" in members_of(place, "hello")


def committed(folder: Path, *commands: tuple[str, ...]) -> str:
    """Commit all that is in a folder; gives the commit."""
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-qm", "x"), *commands):
        subprocess.run([*git, *words], check=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, check=True, text=True)
    return done.stdout.strip()


def greeting_of(place: Workplace, tag: str) -> tuple[str, Closure]:
    with NixSource(place).open(nix_request("hello", tag=tag)) as closure:
        (member,) = [m for m in closure.members.values() if m.id == "greeting-1.0"]
        return (member.tree / "share/greeting/text").read_text().strip(), closure


def test_the_tag_is_the_revision_of_a_repository(
    nix_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPSTRAKE_DL_DIR", str(tmp_path / "downloads"))
    first = committed(
        write_packages(tmp_path / "repo", greeting="one"), ("tag", "-am", "first", "v1")
    )
    second = committed(write_packages(tmp_path / "repo", greeting="two"), ("branch", "topic"))
    url = f"file://{tmp_path}/repo"
    place = nix_place(nix_folder / "work", repository=url)
    said, closure = greeting_of(place, "v1")
    assert said == "one"
    assert closure.sources["nix"] == {"repository": url, "revision": first}
    assert greeting_of(place, first)[1].top_content == closure.top_content
    for tag in ("latest", "topic", "main", second):
        said, other = greeting_of(place, tag)
        assert said == "two"
        assert other.top_content != closure.top_content
    with pytest.raises(FetchError, match="v9"):
        greeting_of(place, "v9")
    # Only what can never change may be taken from a cache; all of it is in the key.
    source = NixSource(place)
    assert [source.state(nix_request(tag=tag)) for tag in ("v1", "topic", "latest")] == [None] * 3
    fixed = source.state(nix_request(tag=first))
    assert fixed is not None
    assert fixed["nix"] == {"repository": url, "revision": first}
    elsewhere = NixSource(nix_place(nix_folder / "work", repository=f"{url}.git"))
    assert elsewhere.state(nix_request(tag=first)) not in (None, fixed)


def test_few_checkouts_are_kept(nix_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    place = nix_place(nix_folder / "work", repository=f"file://{tmp_path}/repo")
    digests = []
    for number in range(6):
        (tmp_path / "repo/default.nix").write_text(f"{{ }} # {number}")
        commit = committed(tmp_path / "repo")
        with open_package_set(place, commit, tmp_path / f"scratch-{number}") as found:
            digests.append(Path(str(found.where["path"])).parent.name)
    sources = place.private / "nix/sources"
    assert {path.name for path in sources.iterdir() if path.is_dir()} == set(digests[-4:])


def test_a_channel_is_a_tarball_and_the_tag_means_nothing(nix_folder: Path) -> None:
    tarball = nix_folder / "channel.tar"
    subprocess.run(["tar", "-cf", tarball, "-C", nix_folder, "packages"], check=True)
    place = nix_place(nix_folder / "work", channel=f"file://{tarball}")
    assert greeting_of(place, "x")[1].top_content == greeting_of(place, "y")[1].top_content
    assert NixSource(place).state(nix_request("hello")) is None
    fixed = nix_place(nix_folder / "work", channel="a" * 40)
    assert NixSource(fixed).state(nix_request("hello", tag="x")) == NixSource(fixed).state(
        nix_request("hello", tag="y")
    )


def test_a_channel_comes_before_a_repository_and_a_repository_before_a_path(
    nix_folder: Path, place: Workplace
) -> None:
    both = nix_place(nix_folder / "work", repository="file:///none", path=nix_folder / "packages")
    with pytest.raises(FetchError, match="file:///none"):
        greeting_of(both, "latest")
    every = nix_place(
        nix_folder / "work", channel="file:///no-channel", repository="file:///none",
        path=nix_folder / "packages",
    )  # fmt: skip
    with pytest.raises(ImageError, match="no-channel"):
        greeting_of(every, "latest")


def test_a_configuration_that_names_nothing_is_refused(tmp_path: Path, place: Workplace) -> None:
    nothing = Workplace(Config(work_dir=tmp_path), place.runner, place.progress)
    with pytest.raises(ConfigError, match="names no packages"):
        greeting_of(nothing, "latest")
    empty = nix_place(tmp_path, path=tmp_path)
    with pytest.raises(ConfigError, match=r"has no default\.nix"):
        greeting_of(empty, "latest")
    (tmp_path / "default.nix").write_text("[ 1 2 ]")
    with pytest.raises(ConfigError, match="no package set but a list"):
        greeting_of(empty, "latest")
    (tmp_path / "default.nix").write_text("{ hello = ")
    with pytest.raises(ImageError, match="syntax error"):
        greeting_of(empty, "latest")


def test_the_store_of_the_host_is_left_alone(place: Workplace) -> None:
    with NixSource(place).open(nix_request("hello")) as closure:
        for path, member in closure.members.items():
            assert not Path(path).exists()
            assert member.tree.is_relative_to(place.private)
