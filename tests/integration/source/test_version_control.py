"""Subversion, Mercurial, Bazaar and Fossil: exact revisions, names, and the cache."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lapstrake.errors import FetchError
from lapstrake.source.job import Fetched
from lapstrake.source.spec import SourceKind, SourceSpec

Shell = Callable[..., str]
Fetch = Callable[..., Fetched]
Tree = Callable[[Fetched], Path]


def source(kind: SourceKind, url: str, revision: str) -> SourceSpec:
    return SourceSpec(kind=kind, url=url, name="hello", revision=revision, origin="spec:3")


def write_tree(folder: Path, content: str) -> None:
    (folder / "file").write_text(content)
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)


def check(fetch: Fetch, tree: Tree, spec: SourceSpec, content: str) -> Fetched:
    """Fetch twice, the second time into another cache: the bytes must be the same."""
    fetched = fetch(spec)
    top = tree(fetched)
    assert (top / "file").read_text() == content
    assert (top / "run").stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in top.iterdir()) == ["file", "run"]
    assert fetch(spec, cache="other").digest == fetched.digest
    assert fetch(spec, offline=True).from_cache
    return fetched


@pytest.fixture
def svn(tmp_path: Path, shell: Shell) -> str:
    shell("svnadmin", "create", tmp_path / "svn", cwd=tmp_path)
    url = (tmp_path / "svn").as_uri()
    shell("svn", "mkdir", "-q", "-m", "start", f"{url}/trunk", cwd=tmp_path)
    work = tmp_path / "work"
    shell("svn", "checkout", "-q", f"{url}/trunk", work, cwd=tmp_path)
    write_tree(work, "one $Id$\n")
    shell("svn", "add", "-q", "file", "run", cwd=work)
    shell("svn", "propset", "-q", "svn:executable", "on", "run", cwd=work)
    shell("svn", "propset", "-q", "svn:keywords", "Id", "file", cwd=work)
    shell("svn", "commit", "-q", "-m", "one", cwd=work)
    (work / "file").write_text("two\n")
    shell("svn", "commit", "-q", "-m", "two", cwd=work)
    return f"{url}/trunk"


def test_svn(svn: str, tmp_path: Path, fetch: Fetch, tree: Tree) -> None:
    assert check(fetch, tree, source(SourceKind.SVN, svn, "2"), "one $Id$\n").revision == "2"
    assert check(fetch, tree, source(SourceKind.SVN, svn, "HEAD"), "two\n").revision == "3"
    for revision in ("99", "no-such"):
        with pytest.raises(FetchError, match="spec:3: hello"):
            fetch(source(SourceKind.SVN, svn, revision))
    shutil.rmtree(tmp_path / "svn")
    assert fetch(source(SourceKind.SVN, svn, "2")).from_cache


@pytest.fixture
def hg(tmp_path: Path, shell: Shell) -> Path:
    path = tmp_path / "hg"
    path.mkdir()
    shell("hg", "init", cwd=path)
    write_tree(path, "one\n")
    shell("hg", "commit", "-q", "-A", "-m", "one", "-d", "1000000000 0", cwd=path)
    shell("hg", "tag", "--local", "unused", cwd=path)
    (path / "file").write_text("two\n")
    shell("hg", "commit", "-q", "-m", "two", "-d", "1000000001 0", cwd=path)
    return path


def test_hg(hg: Path, shell: Shell, fetch: Fetch, tree: Tree) -> None:
    first = shell("hg", "log", "-r", "0", "--template", "{node}", cwd=hg)
    fetched = check(fetch, tree, source(SourceKind.HG, hg.as_uri(), first), "one\n")
    assert (tree(fetched) / "file").stat().st_mtime == 1_000_000_000
    short = check(fetch, tree, source(SourceKind.HG, hg.as_uri(), first[:12]), "one\n")
    assert (short.revision, short.digest) == (first, fetched.digest)
    check(fetch, tree, source(SourceKind.HG, hg.as_uri(), "default"), "two\n")
    (hg / "file").write_text("three\n")
    shell("hg", "commit", "-q", "-m", "three", cwd=hg)
    check(fetch, tree, source(SourceKind.HG, hg.as_uri(), "tip"), "three\n")
    for revision in ("no-such", "f" * 40):
        with pytest.raises(FetchError, match="spec:3: hello"):
            fetch(source(SourceKind.HG, hg.as_uri(), revision))


@pytest.fixture
def bzr(tmp_path: Path, shell: Shell) -> Path:
    path = tmp_path / "bzr"
    shell("brz", "init", "-q", path, cwd=tmp_path)
    write_tree(path, "one\n")
    shell("brz", "add", "-q", cwd=path)
    shell("brz", "commit", "-q", "-m", "one", "--commit-time=2001-09-09 01:46:40 +0000", cwd=path)
    shell("brz", "tag", "-q", "v1", cwd=path)
    (path / "file").write_text("two\n")
    shell("brz", "commit", "-q", "-m", "two", cwd=path)
    return path


def test_bzr(bzr: Path, fetch: Fetch, tree: Tree) -> None:
    fetched = check(fetch, tree, source(SourceKind.BZR, bzr.as_uri(), "1"), "one\n")
    assert (tree(fetched) / "file").stat().st_mtime == 1_000_000_000
    tagged = check(fetch, tree, source(SourceKind.BZR, bzr.as_uri(), "v1"), "one\n")
    assert tagged.digest == fetched.digest
    assert tagged.revision.startswith("revid:")
    check(fetch, tree, source(SourceKind.BZR, bzr.as_uri(), "last:1"), "two\n")
    for revision in ("99", "no-such"):
        with pytest.raises(FetchError, match="spec:3: hello"):
            fetch(source(SourceKind.BZR, bzr.as_uri(), revision))


@pytest.fixture
def fossil(tmp_path: Path, shell: Shell) -> tuple[Path, Path]:
    repository, work = tmp_path / "hello.fossil", tmp_path / "checkout"
    work.mkdir()
    shell("fossil", "init", repository, "--admin-user", "a", cwd=tmp_path)
    shell("fossil", "open", repository, "--user", "a", cwd=work)
    write_tree(work, "one\n")
    shell("fossil", "add", "file", "run", cwd=work)
    shell("fossil", "commit", "--hash", "-m", "one", "--tag", "v1", "--user-override", "a",
          "--date-override", "2001-09-09 01:46:40", "--allow-older", cwd=work)  # fmt: skip
    (work / "file").write_text("two\n")
    shell("fossil", "commit", "--hash", "-m", "two", "--user-override", "a", cwd=work)
    return repository, work


def test_fossil(fossil: tuple[Path, Path], shell: Shell, fetch: Fetch, tree: Tree) -> None:
    repository, work = fossil
    url = repository.as_uri()
    tagged = check(fetch, tree, source(SourceKind.FOSSIL, url, "v1"), "one\n")
    assert (tree(tagged) / "file").stat().st_mtime == 1_000_000_000
    exact = check(fetch, tree, source(SourceKind.FOSSIL, url, tagged.revision), "one\n")
    assert exact.digest == tagged.digest
    check(fetch, tree, source(SourceKind.FOSSIL, url, "trunk"), "two\n")
    (work / "file").write_text("three\n")
    shell("fossil", "commit", "--hash", "-m", "three", "--user-override", "a", cwd=work)
    check(fetch, tree, source(SourceKind.FOSSIL, url, "trunk"), "three\n")
    for revision in ("no-such", "f" * 40):
        with pytest.raises(FetchError, match="spec:3: hello"):
            fetch(source(SourceKind.FOSSIL, url, revision))
