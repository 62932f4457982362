from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lapstrake.bundle.aosc import read
from lapstrake.bundle.base import Bundle
from lapstrake.errors import BundleError
from lapstrake.names import Arch, Digest
from lapstrake.source.spec import SourceKind, SourceSpec, Submodules

HEX = "0123456789abcdef" * 4
SUM = f"sha256::{HEX}"


def bundle(path: Path, spec: str, arch: Arch = Arch.AMD64) -> Bundle:
    (path / "autobuild").mkdir(exist_ok=True)
    (path / "spec").write_text(f"VER=1.2\n{spec}\n")
    (path / "autobuild/defines").write_text("PKGNAME=hello\nPKGSEC=utils\nPKGDES=x\n")
    return read(path, arch=arch)


def one(path: Path, item: str, checksum: str) -> SourceSpec:
    (source,) = bundle(path, f"SRCS='{item}'\nCHKSUMS='{checksum}'").sources
    return source


@pytest.mark.parametrize(
    "item, checksum, kind, name",
    [
        ("https://e.org/a.tar.gz", SUM, SourceKind.ARCHIVE, "1.2.bin"),
        ("https://e.org/a.TAR.XZ?x=1", SUM, SourceKind.ARCHIVE, "1.2.bin"),
        ("tbl::https://e.org/a.zip", SUM, SourceKind.ARCHIVE, "1.2.bin"),
        ("TBL::rename=x::https://e.org/a.zip", SUM, SourceKind.ARCHIVE, "1.2.bin"),
        ("file::https://e.org/a%20b.txt", SUM, SourceKind.FILE, "hello-1.2.txt"),
        ("file::https://e.org/a.tar.gz", SUM, SourceKind.FILE, "hello-1.2.tar.gz"),
        ("file::https://e.org/x", SUM, SourceKind.FILE, "hello-1.2"),
        ("file::rename=n.c::https://e.org/x", SUM, SourceKind.FILE, "n.c"),
        ("file::use-url-name=true::https://e.org/d/a%20b.c?q", SUM, SourceKind.FILE, "a b.c"),
        ("https://e.org/a.git", "SKIP", SourceKind.GIT, ""),
        ("git://e.org/a", "SKIP", SourceKind.GIT, ""),
        ("git::commit=abc::https://e.org/a", "skip", SourceKind.GIT, "hello-1.2"),
        ("git::commit=abc::https://e.org/a", "sha256::skip", SourceKind.GIT, "hello-1.2"),
        ("git::commit=abc;rename=d::https://e.org/a", "SKIP", SourceKind.GIT, "d"),
        ("svn::commit=12::https://e.org/a", "SKIP", SourceKind.SVN, "hello-1.2"),
        ("hg::version=12::https://e.org/a", "SKIP", SourceKind.HG, "hello-1.2"),
        ("bzr::version=12::https://e.org/a", "SKIP", SourceKind.BZR, "hello-1.2"),
        ("fossil::version=12::https://e.org/a", "SKIP", SourceKind.FOSSIL, "hello-1.2"),
        ("pypi::version=3.0::semver", SUM, SourceKind.PYPI, "1.2.bin"),
        ("npm::version=3.0::is-number", SUM, SourceKind.NPM, "1.2.bin"),
    ],
)
def test_items(tmp_path: Path, item: str, checksum: str, kind: SourceKind, name: str) -> None:
    if not name:
        with pytest.raises(BundleError, match="says no commit"):
            one(tmp_path, item, checksum)
        return
    source = one(tmp_path, item, checksum)
    assert source.kind is kind
    assert source.name == name
    assert source.url == item.rpartition("::")[2]
    assert source.digest == (Digest("sha256", HEX) if checksum == SUM else None)


def test_options_of_git(tmp_path: Path) -> None:
    source = one(
        tmp_path,
        "git::commit=tags/v1;branch=main;copy-repo=true;submodule=false;odd=1::https://e.org/a",
        "SKIP",
    )
    assert source.revision == "tags/v1"
    assert source.branch == "main"
    assert source.keep_repository
    assert source.submodules is Submodules.NONE
    assert one(tmp_path, "git::commit=x::y", "SKIP").submodules is Submodules.RECURSIVE


def test_version_is_the_revision_of_an_index(tmp_path: Path) -> None:
    source = one(tmp_path, "pypi::version=3.0::semver", SUM)
    assert (source.url, source.revision) == ("semver", "3.0")


@pytest.mark.parametrize(
    "srcs, chksums, message",
    [
        ("https://e.org/a.tgz", SUM, "does not tell what it is"),
        ("ftp::https://e.org/a.tgz", SUM, "source type 'ftp' is unknown"),
        ("tbl::", SUM, "has no address"),
        ("git::https://e.org/a", "SKIP", "says no commit"),
        ("svn::commit=::https://e.org/a", "SKIP", "says no commit"),
        ("pypi::semver", SUM, "says no version"),
        ("git::commit::https://e.org/a", "SKIP", "'commit' has no value"),
        ("git::commit=1;submodule=maybe::https://e.org/a", "SKIP", "submodule=maybe"),
        ("tbl::https://e.org/a", "SKIP", "SKIP, but"),
        ("file::https://e.org/a", "skip", "SKIP, but"),
        ("pypi::version=1::six", "SKIP", "SKIP, but"),
        ("tbl::https://e.org/a", "sha256::skip", "'skip'"),
        ("tbl::https://e.org/a", HEX, "is not a checksum"),
        ("tbl::https://e.org/a", f"sha256:{HEX}", "is not a checksum"),
        ("tbl::https://e.org/a", "sha256::12", "64 hexadecimal digits"),
        ("tbl::https://e.org/a", f"crc32::{HEX}", "'crc32' is unknown"),
        ("tbl::https://e.org/a tbl::https://e.org/b", SUM, "2 SRCS, but 1 CHKSUMS"),
        ("tbl::https://e.org/a", f"{SUM} {SUM}", "1 SRCS, but 2 CHKSUMS"),
        ("tbl::https://e.org/a", "", "no CHKSUMS"),
        ("", SUM, "no sources"),
        ("file::rename=a;use-url-name=true::https://e.org/b", SUM, "exclude each other"),
        ("file::rename=../a::https://e.org/b", SUM, "cannot be the name"),
        ("file::rename=-rf::https://e.org/b", SUM, "cannot be the name"),
        ("file::https://[x/b", SUM, "is not an address"),
        ("file::rename=..::https://e.org/b", SUM, "cannot be the name"),
        ("file::use-url-name=true::https://e.org/..%2Fb/%2e%2e", SUM, "cannot be the name"),
        ("file::use-url-name=true::https://e.org/", SUM, "cannot be the name"),
        ("file::rename=a::x file::rename=a::y", f"{SUM} {SUM}", "two sources"),
    ],
)
def test_wrong_sources(tmp_path: Path, srcs: str, chksums: str, message: str) -> None:
    with pytest.raises(BundleError) as problem:
        bundle(tmp_path, f"SRCS='{srcs}'\nCHKSUMS='{chksums}'")
    assert message in problem.value.brief
    assert problem.value.brief.startswith(f"{tmp_path.name}/spec")


def test_several_sources_are_numbered(tmp_path: Path) -> None:
    sources = bundle(
        tmp_path,
        'SRCS="tbl::x \\\n  none::  \n file::y.c git::commit=1::z tbl::w"\n'
        f'CHKSUMS="{SUM} SKIP {SUM} SKIP {SUM}"',
    ).sources
    assert [source.name for source in sources] == [
        "1.2.bin", "hello-1.2-2.c", "hello-1.2-3", "1.2-4.bin",
    ]  # fmt: skip


def test_sources_of_a_machine_replace_the_general_ones(tmp_path: Path) -> None:
    spec = (
        f"SRCS=tbl::general\nCHKSUMS={SUM}\nSRCS__ARM64='tbl::a tbl::b'\n"
        f"CHKSUMS__ARM64='{SUM} {SUM}'\nSRCS__MAINLINE=tbl::group\n"
    )
    assert [source.url for source in bundle(tmp_path, spec).sources] == ["general"]
    sources = bundle(tmp_path, spec, Arch.ARM64).sources
    assert [source.url for source in sources] == ["a", "b"]
    assert sources[0].origin == f"{tmp_path.name}/spec:4"


@pytest.mark.parametrize("yes", ["1", "y", "Yes", "t", "true"])
def test_a_dummy_has_no_sources(tmp_path: Path, yes: str) -> None:
    assert bundle(tmp_path, f"DUMMYSRC={yes}\nSRCS=x").sources == ()


@pytest.mark.parametrize("no", ["0", "n", "NO", "f", "maybe", "''"])
def test_other_words_are_no(tmp_path: Path, no: str) -> None:
    with pytest.raises(BundleError, match="no sources"):
        bundle(tmp_path, f"DUMMYSRC={no}")


@pytest.mark.parametrize(
    "spec, kind, revision",
    [
        (f"SRCTBL=https://e.org/a.tgz\nCHKSUM={SUM}", SourceKind.ARCHIVE, ""),
        ("GITSRC=https://e.org/a\nGITCO=v1\nGITBRCH=main", SourceKind.GIT, "v1"),
        ("SVNSRC=https://e.org/a\nSVNCO=5", SourceKind.SVN, "5"),
        ("HGSRC=https://e.org/a\nHGCO=5", SourceKind.HG, "5"),
        ("BZRSRC=https://e.org/a\nBZRCO=5", SourceKind.BZR, "5"),
        ("FSLSRC=https://e.org/a\nFSLCO=5", SourceKind.FOSSIL, "5"),
    ],
)
def test_the_older_pairs(tmp_path: Path, spec: str, kind: SourceKind, revision: str) -> None:
    found = bundle(tmp_path, spec)
    (source,) = found.sources
    assert (source.kind, source.revision) == (kind, revision)
    assert source.url.startswith("https://e.org/a")
    assert source.name == ("1.2.bin" if kind is SourceKind.ARCHIVE else "hello-1.2")
    assert (source.digest is None) is (kind is not SourceKind.ARCHIVE)
    assert found.warnings == ()


def test_a_branch_alone_is_warned_of(tmp_path: Path) -> None:
    found = bundle(tmp_path, "GITSRC=https://e.org/a\nGITBRCH=main")
    assert found.sources[0].revision == "main"
    assert "GITCO" in found.warnings[0]


@pytest.mark.parametrize(
    "spec, message",
    [
        ("SRCTBL=x", "spec:2: SRCTBL without CHKSUM"),
        (f"CHKSUM={SUM}", "spec:2: CHKSUM without SRCTBL"),
        ("GITSRC=x", "spec:2: GITSRC without GITCO"),
        ("SVNCO=1", "spec:2: SVNCO without SVNSRC"),
        ("SRCTBL=x CHKSUM=SKIP", "SKIP, but"),
    ],
)
def test_half_of_an_older_pair(tmp_path: Path, spec: str, message: str) -> None:
    with pytest.raises(BundleError) as problem:
        bundle(tmp_path, spec)
    assert message in problem.value.brief


parts = st.sampled_from(
    [
        "tbl",
        "file",
        "git",
        "svn",
        "pypi",
        "none",
        "::",
        "::",
        "=",
        ";",
        "rename=",
        "use-url-name=true",
        "commit=1",
        "version=2",
        "submodule=",
        "https://e.org/a",
        ".tar.gz",
        "/",
        "..",
        "%2F",
        "%00",
        "?",
        "#",
        "[",
        "é",
        "@",
        "$",
        "-",
    ]
)


@given(st.lists(st.lists(parts, max_size=8).map("".join), min_size=1, max_size=3))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_item_is_read_or_refused_and_no_name_leaves_the_workspace(
    tmp_path: Path, items: list[str]
) -> None:
    sums = " ".join("SKIP" if item.startswith(("git", "svn")) else SUM for item in items)
    problem = ""
    sources: tuple[SourceSpec, ...] = ()
    try:
        sources = bundle(tmp_path, f"SRCS='{' '.join(items)}'\nCHKSUMS='{sums}'").sources
    except BundleError as refusal:
        problem = refusal.brief
    assert not problem or problem.startswith(f"{tmp_path.name}/spec")
    for source in sources:
        assert source.name not in ("", ".", "..")
        assert "/" not in source.name
