"""Bad input, as users type and write it: what is wrong, where, what to do, and the exit code."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lapstrake.errors import (
    BaseError,
    BranchError,
    BundleError,
    ChecksumError,
    ConfigError,
    DependencyError,
    FetchError,
    LapstrakeError,
    UnpackError,
    UsageError,
)
from roots import Completed, run_cli, write_configuration
from trouble import copy_work_dir

_DEFINES = 'PKGNAME=bad\nPKGSEC=utils\nPKGDES="is bad"\n'
_TOML = """[package]
name = "bad"
version = "1"
description = "is bad"
maintainer = "Nobody <nobody@example.org>"
"""


@dataclass(kw_only=True)
class Attempt:
    """A command line in a work folder without a base OS; nothing here gets as far as one."""

    work_dir: Path

    def run(self, *words: str) -> Completed:
        return run_cli(*words, work_dir=self.work_dir, timeout=60)

    def aosc(self, spec: str | None, defines: str | None = _DEFINES) -> Path:
        folder = self.work_dir / "bad"
        (folder / "autobuild").mkdir(parents=True, exist_ok=True)
        if spec is not None:
            (folder / "spec").write_text(spec)
        if defines is not None:
            (folder / "autobuild/defines").write_text(defines)
        return folder

    def native(self, more: str = "", *, text: str = _TOML) -> Path:
        folder = self.work_dir / "bad"
        folder.mkdir(exist_ok=True)
        (folder / "lapstrake.toml").write_text(text + more)
        return folder


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    write_configuration(work_dir)
    return Attempt(work_dir=work_dir)


def refused(done: Completed, error: type[LapstrakeError], *said: str) -> None:
    """One clear error, its own exit code, and no sign of a crash."""
    assert done.status == error.exit_code, f"{done.status}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    assert "crash-" not in done.stderr
    assert done.stderr.count("error: ") == 1
    for text in said:
        assert text in done.stderr, done.stderr


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something wrong with a bundle, and what is said about it."""

    name: str
    make: Callable[[Attempt], Path]
    said: tuple[str, ...]
    error: type[LapstrakeError] = BundleError
    options: tuple[str, ...] = field(default=())


_SUM = "sha256::" + "0" * 64
_BUNDLES = (
    Case(name="empty-folder", make=lambda a: a.aosc(None, None), said=("bad",)),
    Case(
        name="no-spec",
        make=lambda a: a.aosc(None),
        said=("spec",),
    ),
    Case(name="no-defines", make=lambda a: a.aosc("VER=1\n", None), said=("defines",)),
    Case(name="no-VER", make=lambda a: a.aosc("REL=1\n"), said=("VER", "spec")),
    Case(name="empty-VER", make=lambda a: a.aosc("VER=\n"), said=("VER", "spec")),
    Case(name="bad-VER", make=lambda a: a.aosc('VER="1 2"\n'), said=("VER", "spec")),
    Case(name="bad-REL", make=lambda a: a.aosc("VER=1\nREL=1-2\n"), said=("REL", "spec")),
    Case(
        name="no-PKGNAME",
        make=lambda a: a.aosc("VER=1\n", "PKGDES=x\n"),
        said=("PKGNAME", "defines"),
    ),
    Case(
        name="bad-PKGNAME",
        make=lambda a: a.aosc("VER=1\n", "PKGNAME=../x\nPKGSEC=u\nPKGDES=x\n"),
        said=("../x", "defines"),
    ),
    Case(
        name="unknown-template",
        make=lambda a: a.aosc("VER=1\nDUMMYSRC=1\n", _DEFINES + "ABTYPE=cobol\n"),
        said=("cobol", "defines"),
    ),
    Case(
        name="unknown-source-type",
        make=lambda a: a.aosc(f'VER=1\nSRCS="gopher::gopher://x/y"\nCHKSUMS="{_SUM}"\n'),
        said=("gopher", "spec"),
    ),
    Case(
        name="unknown-algorithm",
        make=lambda a: a.aosc('VER=1\nSRCS="tbl::http://x/y.tar"\nCHKSUMS="crc::12"\n'),
        said=("crc", "spec"),
    ),
    Case(
        name="sum-too-short",
        make=lambda a: a.aosc('VER=1\nSRCS="tbl::http://x/y.tar"\nCHKSUMS="sha256::12"\n'),
        said=("sha256", "spec"),
    ),
    Case(
        name="more-sums-than-sources",
        make=lambda a: a.aosc(f'VER=1\nSRCS="tbl::http://x/y.tar"\nCHKSUMS="{_SUM} {_SUM}"\n'),
        said=("SRCS", "CHKSUMS", "spec"),
    ),
    Case(
        name="fewer-sums-than-sources",
        make=lambda a: a.aosc(
            f'VER=1\nSRCS="tbl::http://x/y.tar tbl::http://x/z.tar"\nCHKSUMS="{_SUM}"\n'
        ),
        said=("SRCS", "CHKSUMS", "spec"),
    ),
    Case(
        name="no-sums",
        make=lambda a: a.aosc('VER=1\nSRCS="tbl::http://x/y.tar"\n'),
        said=("CHKSUMS", "spec"),
    ),
    Case(
        name="unended-quote",
        make=lambda a: a.aosc('VER="1\n'),
        said=("spec",),
    ),
    Case(name="not-text", make=lambda a: _raw(a.aosc(""), "spec", b"\0\xff\xfe"), said=("spec",)),
    Case(
        name="spec-is-a-fifo",
        make=lambda a: _fifo(a.aosc(None), "spec"),
        said=("spec",),
    ),
    Case(
        name="toml-is-a-fifo",
        make=lambda a: _fifo(a.aosc(None, None), "lapstrake.toml"),
        said=("lapstrake.toml",),
    ),
    Case(
        name="toml-is-a-folder",
        make=lambda a: _folder(a.aosc(None, None), "lapstrake.toml"),
        said=("lapstrake.toml",),
    ),
    Case(name="toml-broken", make=lambda a: a.native("[steps\n"), said=("lapstrake.toml:6",)),
    Case(
        name="toml-unknown-key",
        make=lambda a: a.native("colour = 1\n"),
        said=("lapstrake.toml:6", "colour"),
    ),
    Case(
        name="toml-no-version",
        make=lambda a: a.native(text=_TOML.replace('version = "1"\n', "")),
        said=("lapstrake.toml", "version"),
    ),
    Case(
        name="toml-unknown-preset",
        make=lambda a: a.native('[steps]\nuse = "cobol"\n'),
        said=("lapstrake.toml:7", "'autotools'"),
    ),
    Case(
        name="toml-unpinned",
        make=lambda a: a.native('[[source]]\nurl = "http://x/y.tar"\n'),
        said=("lapstrake.toml",),
    ),
    Case(
        name="missing-file",
        make=lambda a: a.native(f'[[source]]\nurl = "file:///none.tar"\nsha256 = "{"0" * 64}"\n'),
        said=("/none.tar", "lapstrake.toml"),
        error=FetchError,
    ),
    Case(
        name="file-outside-the-bundle",
        make=lambda a: a.native(
            f'[[source]]\nurl = "../conf/config.toml"\nsha256 = "{"0" * 64}"\n'
        ),
        said=("outside", "lapstrake.toml"),
        error=FetchError,
    ),
    Case(
        name="link-out-of-the-bundle",
        make=lambda a: _link(
            a.native(f'[[source]]\nurl = "secret"\nsha256 = "{"0" * 64}"\n'), "secret"
        ),
        said=("outside",),
        error=FetchError,
    ),
    Case(
        name="not-cached-offline",
        make=lambda a: a.native(f'[[source]]\nurl = "http://x/y.tar"\nsha256 = "{"0" * 64}"\n'),
        said=("y.tar", "--offline"),
        error=FetchError,
        options=("--offline",),
    ),
)


def _raw(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder


def _fifo(folder: Path, name: str) -> Path:
    os.mkfifo(folder / name)
    return folder


def _folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder


def _link(folder: Path, name: str) -> Path:
    (folder / name).symlink_to("/etc/shadow")
    return folder


@pytest.mark.parametrize("case", _BUNDLES, ids=lambda case: case.name)
def test_bundles(attempt: Attempt, case: Case) -> None:
    bundle = case.make(attempt)
    done = attempt.run("build", str(bundle), "stable", *case.options)
    refused(done, case.error, *case.said)
    assert not list((attempt.work_dir / ".builder/store/layers").iterdir())


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("build",), UsageError, ("BUNDLE", "BRANCH")),
        (("build", "x"), UsageError, ("branch",)),
        (("build", "none", "stable"), BundleError, ("none",)),
        (("build", "/none", "stable"), BundleError, ("/none",)),
        (("build", "a", "b", "stable"), UsageError, ("--group",)),
        (("build", "--no-such", "x", "stable"), UsageError, ("--no-such",)),
        (("build", "x", "../x"), UsageError, ("../x",)),
        (("build", "x", ""), UsageError, ("''",)),
        (("build", "x", "all"), UsageError, ("all",)),
        (("build", "x", "-rf"), UsageError, ("-r",)),
        (("build", "x", "a" * 65), UsageError, ("aaa",)),
        (("build", "x", "new\nline"), UsageError, ("line",)),
        (("--set", "no.such=1", "build", "x", "stable"), ConfigError, ("no.such",)),
        (("--set", "limits.memory=much", "build", "x", "stable"), ConfigError, ("much",)),
        (("--set", "runner.name=vm", "build", "x", "stable"), ConfigError, ("vm",)),
        (("--set", "jobs", "build", "x", "stable"), UsageError, ("jobs",)),
        (("-c", "/none", "build", "x", "stable"), ConfigError, ("/none",)),
        (("branch", "refresh", "none"), BranchError, ("none",)),
        (("branch", "refresh", "../x"), UsageError, ("../x",)),
        (("cleanup", "none"), BranchError, ("none",)),
        (("cleanup", "../x"), UsageError, ("../x",)),
        (("log", "none"), UsageError, ("none",)),
        (("log", "../../etc"), UsageError, ("etc",)),
        (("why", "none"), UsageError, ("none",)),
        (("frobnicate",), UsageError, ("frobnicate",)),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else "",
)
def test_command_lines(
    attempt: Attempt, words: tuple[str, ...], error: type[LapstrakeError], said: tuple[str, ...]
) -> None:
    refused(attempt.run(*words), error, *said)


def test_an_unknown_branch(attempt: Attempt) -> None:
    done = attempt.run("build", str(attempt.native()), "unstable")
    refused(done, BranchError, "unstable", "stable")


def test_a_branch_without_entries(attempt: Attempt) -> None:
    (attempt.work_dir / "conf/source_lists/bad.list").write_text("dep http://x stable main\n")
    refused(attempt.run("branch", "refresh", "bad"), ConfigError, "bad.list:1")


def test_a_configuration_that_is_none(attempt: Attempt) -> None:
    (attempt.work_dir / "conf/config.toml").write_text("[base\n")
    refused(attempt.run("build", "x", "stable"), ConfigError, "config.toml:1")


def test_a_base_that_cannot_be_loaded(attempt: Attempt) -> None:
    for settings in (
        ("base.method=tarball", "base.url=/none.tar"),
        ("base.suite=no-such-suite",),
    ):
        options = [word for setting in settings for word in ("--set", setting)]
        done = attempt.run(*options, "load-baseos")
        refused(done, BaseError)
        assert not list((attempt.work_dir / ".builder/store/layers").iterdir())


def _tar(*entries: tarfile.TarInfo, data: bytes = b"x") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for entry in entries:
            entry.size = len(data) if entry.isreg() else 0
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


_ARCHIVES = {
    "absolute": (_tar(_entry("/etc/owned")), "/etc/owned"),
    "dots": (_tar(_entry("a/../../owned")), "owned"),
    "link-out": (_tar(_entry("a", tarfile.SYMTYPE, "/etc"), _entry("a/owned")), "a"),
    "hard-link-out": (_tar(_entry("a", tarfile.LNKTYPE, "../../etc/shadow")), "a"),
    "device": (_tar(_entry("disk", tarfile.BLKTYPE)), "disk"),
    "fifo": (_tar(_entry("pipe", tarfile.FIFOTYPE)), "pipe"),
    "truncated": (_tar(_entry("a"), data=b"x" * 5000)[:3000], "source.tar"),
    "no-archive": (b"<html>not found</html>" * 100, "source.tar"),
    "empty": (b"", "source.tar"),
}


@pytest.mark.parametrize("kind", _ARCHIVES)
def test_archives(warm_attempt: Attempt, kind: str) -> None:
    data, said = _ARCHIVES[kind]
    refused(_build_archive(warm_attempt, data), UnpackError, said)


@pytest.mark.parametrize(
    ("size", "settings"),
    [(300, ()), (100, ("--set", "limits.disk=20MiB"))],
    ids=["by-ratio", "by-limit"],
)
def test_a_bomb(warm_attempt: Attempt, size: int, settings: tuple[str, ...]) -> None:
    bomb = gzip.compress(_tar(_entry("zeros"), data=bytes(size << 20)), 6)
    done = _build_archive(warm_attempt, bomb, *settings, name="source.tar.gz")
    refused(done, UnpackError, "larger than", "lapstrake.toml")


def test_a_wrong_checksum(warm_attempt: Attempt) -> None:
    done = _build_archive(warm_attempt, _tar(_entry("a")), digest="f" * 64)
    refused(done, ChecksumError, "f" * 64, "actual", "lapstrake.toml")


def test_dependencies_that_are_nowhere(warm_attempt: Attempt) -> None:
    bundle = warm_attempt.native('[depends]\nbuild = ["no-such-package-anywhere (>= 2)"]\n')
    done = warm_attempt.run("build", str(bundle), "stable")
    refused(done, DependencyError, "no-such-package-anywhere")


@pytest.fixture(scope="module")
def warm_attempt(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Attempt:
    target = tmp_path_factory.mktemp("bad") / "work"
    return Attempt(work_dir=copy_work_dir(base_work_dir, target))


def _build_archive(
    attempt: Attempt, data: bytes, *options: str, name: str = "source.tar", digest: str = ""
) -> Completed:
    """Build with an archive; whatever happens, nothing is left and nothing is published."""
    digest = digest or hashlib.sha256(data).hexdigest()
    bundle = attempt.native(f'[[source]]\nurl = "{name}"\nsha256 = "{digest}"\n')
    (bundle / name).write_bytes(data)
    done = attempt.run(*options, "build", str(bundle), "stable")
    store = attempt.work_dir / ".builder/store"
    assert not [*(store / "workspaces").iterdir(), *(store / "unfinished").iterdir()]
    assert not list((attempt.work_dir / "output").glob("*/bad_*"))
    return done
