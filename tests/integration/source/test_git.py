"""git: commits, tags, branches, submodules; nothing of a repository's own is run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lapstrake.errors import ChecksumError, FetchError
from lapstrake.names import Digest
from lapstrake.source.job import Fetched, FetchEvent, Stage
from lapstrake.source.rules import Rewrite
from lapstrake.source.spec import SourceKind, SourceSpec, Submodules

Shell = Callable[..., str]
Fetch = Callable[..., Fetched]
Tree = Callable[[Fetched], Path]


def source(repository: Path | str, revision: str, **more: Any) -> SourceSpec:
    url = repository.as_uri() if isinstance(repository, Path) else repository
    return SourceSpec(
        kind=SourceKind.GIT, url=url, name="hello", revision=revision, origin="spec:3", **more
    )


def commit(shell: Shell, repository: Path, name: str, content: str) -> str:
    path = repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    shell("git", "add", "-A", cwd=repository)
    shell("git", "commit", "-qm", name, cwd=repository)
    return shell("git", "rev-parse", "HEAD", cwd=repository)


@pytest.fixture
def repository(tmp_path: Path, shell: Shell) -> Path:
    """Three commits: v1 (an annotated tag), v2 (a light one), and the tip of main."""
    path = tmp_path / "hello.git"
    path.mkdir()
    shell("git", "init", "-q", "-b", "main", cwd=path)
    (path / ".gitattributes").write_text("left-out export-ignore\nversion export-subst\n")
    (path / "left-out").write_text("still here")
    (path / "version").write_text("$Format:%H$")
    (path / "run").write_text("#!/bin/sh\n")
    (path / "run").chmod(0o755)
    (path / "null").symlink_to("/dev/null")
    commit(shell, path, "file", "one\n")
    shell("git", "tag", "-a", "-m", "one", "v1", cwd=path)
    commit(shell, path, "file", "two\n")
    shell("git", "tag", "v2", cwd=path)
    commit(shell, path, "file", "three\n")
    return path


@pytest.mark.parametrize(
    ("revision", "content"),
    [("v1", "one\n"), ("tags/v1", "one\n"), ("refs/tags/v2", "two\n"), ("main", "three\n"),
     ("heads/main", "three\n"), ("origin/main", "three\n"), ("HEAD", "three\n")],
)  # fmt: skip
def test_names(repository: Path, fetch: Fetch, tree: Tree, revision: str, content: str) -> None:
    fetched = fetch(source(repository, revision))
    assert (tree(fetched) / "file").read_text() == content
    assert len(fetched.revision) == 40
    assert not fetched.from_cache
    assert fetch(source(repository, revision), offline=True).from_cache


def test_hashes_whole_and_short(repository: Path, shell: Shell, fetch: Fetch, tree: Tree) -> None:
    whole = shell("git", "rev-parse", "v2", cwd=repository)
    first = fetch(source(repository, whole))
    assert (tree(first) / "file").read_text() == "two\n"
    second = fetch(source(repository, whole[:10]), cache="other")
    assert (second.revision, second.digest) == (whole, first.digest)


def test_the_tree_is_what_the_commit_says(repository: Path, fetch: Fetch, tree: Tree) -> None:
    top = tree(fetch(source(repository, "v1")))
    assert (top / "left-out").read_text() == "still here"
    assert (top / "version").read_text() == "$Format:%H$"
    assert (top / "run").stat().st_mode & 0o777 == 0o755
    assert (top / "file").stat().st_mode & 0o777 == 0o644
    assert str((top / "null").readlink()) == "/dev/null"
    assert (top / "file").stat().st_mtime == 1_000_000_000
    assert not (top / ".git").exists()


def test_a_whole_hash_needs_no_server(repository: Path, shell: Shell, fetch: Fetch) -> None:
    whole = shell("git", "rev-parse", "v1", cwd=repository)
    digest = fetch(source(repository, whole)).digest
    shutil.rmtree(repository)
    again = fetch(source(repository, whole))
    assert (again.from_cache, again.digest) == (True, digest)


def test_a_tag_that_moves_is_said(
    repository: Path, shell: Shell, fetch: Fetch, tree: Tree, events: list[FetchEvent]
) -> None:
    before = fetch(source(repository, "v1")).revision
    shell("git", "tag", "-f", "v1", "main", cwd=repository)
    assert fetch(source(repository, "v1"), recheck=False).revision == before
    after = fetch(source(repository, "v1"))
    assert (tree(after) / "file").read_text() == "three\n"
    said = [event.text for event in events if event.stage is Stage.WARNING]
    assert len(said) == 1
    assert "tag v1" in said[0]
    assert before in said[0]
    assert after.revision in said[0]


def test_a_branch_moves_silently(
    repository: Path, shell: Shell, fetch: Fetch, events: list[FetchEvent]
) -> None:
    before = fetch(source(repository, "main")).revision
    tip = commit(shell, repository, "file", "four\n")
    assert tip != before
    assert fetch(source(repository, "main"), recheck=False).revision == tip
    assert not [event for event in events if event.stage is Stage.WARNING]


def test_a_silent_server_and_a_known_tag(
    repository: Path, fetch: Fetch, events: list[FetchEvent]
) -> None:
    known = fetch(source(repository, "v1"))
    repository.rename(repository.with_name("gone"))
    assert fetch(source(repository, "v1")).digest == known.digest
    assert "as last seen" in next(e.text for e in events if e.stage is Stage.WARNING)
    with pytest.raises(FetchError):
        fetch(source(repository, "v2"))


def test_a_pinned_tree(repository: Path, fetch: Fetch) -> None:
    digest = fetch(source(repository, "v1")).digest
    assert fetch(source(repository, "v1", digest=digest), cache="other").digest == digest
    with pytest.raises(ChecksumError) as caught:
        fetch(source(repository, "v1", digest=Digest("sha256", "0" * 64)))
    assert str(digest) in caught.value.details


@pytest.mark.parametrize(
    "revision", ["v9", "deadbeef", "0" * 40, "", "--upload-pack=x", "a b", "a..b"]
)
def test_revisions_that_are_not_there(repository: Path, fetch: Fetch, revision: str) -> None:
    with pytest.raises(FetchError, match="spec:3: hello"):
        fetch(source(repository, revision))


@pytest.mark.parametrize(
    "url", ["ext::sh -c 'touch owned'", "-upload", "ssh://-oProxyCommand=x/y", "relative", "fd::3"]
)
def test_urls_that_would_do_something_else(fetch: Fetch, url: str) -> None:
    with pytest.raises(FetchError, match="no URL of a repository"):
        fetch(source(url, "main"))


def test_hooks_and_filters_do_not_run(
    repository: Path, tmp_path: Path, shell: Shell, fetch: Fetch, tree: Tree
) -> None:
    """A repository may ask for filters; only configuration can grant them, and there is none."""
    (repository / ".gitattributes").write_text("* filter=evil\n")
    commit(shell, repository, "file", "plain\n")
    for name in ("post-checkout", "post-update", "reference-transaction"):
        hook = repository / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-{name}\n")
        hook.chmod(0o755)
    fetched = fetch(source(repository, "main", keep_repository=True))
    assert (tree(fetched) / "file").read_text() == "plain\n"
    assert not list(tmp_path.glob("ran-*"))
    assert not list((tree(fetched) / ".git").glob("hooks/*"))


def test_the_repository_is_kept(repository: Path, shell: Shell, fetch: Fetch, tree: Tree) -> None:
    fetch(source(repository, "v2"))  # leaves a shallow mirror, which must become whole
    top = tree(fetch(source(repository, "main", keep_repository=True)))
    assert shell("git", "describe", "--tags", cwd=top).startswith("v2-1-g")
    assert shell("git", "log", "--format=%s", cwd=top).splitlines() == ["file"] * 3
    assert shell("git", "status", "--porcelain", cwd=top) == ""
    assert shell("git", "remote", "get-url", "origin", cwd=top) == repository.as_uri()


def test_shallow_is_enough(repository: Path, tmp_path: Path, shell: Shell, fetch: Fetch) -> None:
    fetched = fetch(source(repository, "main"))
    mirror = next((tmp_path / "cache" / "mirrors" / "git").iterdir())
    assert shell("git", "rev-list", "--count", fetched.revision, cwd=mirror) == "1"


def test_a_server_that_gives_only_what_names_point_to(
    repository: Path, shell: Shell, fetch: Fetch, tree: Tree
) -> None:
    shell("git", "config", "protocol.version", "0", cwd=repository)
    shell("git", "config", "uploadpack.allowReachableSHA1InWant", "false", cwd=repository)
    parent = shell("git", "rev-parse", "v2~1", cwd=repository)
    shell("git", "tag", "-d", "v1", cwd=repository)
    assert (tree(fetch(source(repository, parent))) / "file").read_text() == "one\n"


@pytest.fixture
def nested(tmp_path: Path, shell: Shell, repository: Path) -> Path:
    """outer has inner (by a relative URL), which has hello."""

    def make(name: str, module: str, url: str) -> Path:
        path = tmp_path / name
        path.mkdir()
        shell("git", "init", "-q", "-b", "main", cwd=path)
        allow = ("-c", "protocol.file.allow=always")
        shell("git", *allow, "submodule", "add", "-q", str(url), f"libs/{module}", cwd=path)
        (path / ".gitmodules").write_text(
            f'[submodule "{module}"]\n\tpath = libs/{module}\n\turl = {url}\n'
        )
        commit(shell, path, "own", name)
        return path

    inner = make("inner.git", "hello", repository.as_uri())
    outer = make("outer.git", "inner", inner.as_uri())
    (outer / ".gitmodules").write_text(
        '[submodule "inner"]\n\tpath = libs/inner\n\turl = ../inner.git\n'
    )
    commit(shell, outer, "more", "x")
    return outer


@pytest.mark.parametrize(
    ("submodules", "inner", "hello"),
    [(Submodules.NONE, False, False), (Submodules.DIRECT, True, False),
     (Submodules.RECURSIVE, True, True)],
)  # fmt: skip
def test_submodules(
    nested: Path, fetch: Fetch, tree: Tree, submodules: Submodules, inner: bool, hello: bool
) -> None:
    top = tree(fetch(source(nested, "main", submodules=submodules)))
    assert (top / "own").read_text() == "outer.git"
    assert (top / "libs/inner/own").exists() == inner
    assert (top / "libs/inner/libs/hello/file").exists() == hello


def test_submodules_offline_and_mirrored(
    nested: Path, tmp_path: Path, shell: Shell, fetch: Fetch
) -> None:
    spec = source(nested, shell("git", "rev-parse", "HEAD", cwd=nested))
    digest = fetch(spec).digest
    assert fetch(spec, offline=True).digest == digest
    (tmp_path / "mirror").mkdir()
    for name in ("inner.git", "hello.git"):
        (tmp_path / name).rename(tmp_path / "mirror" / name)
    rewrites = tuple(
        Rewrite(prefix=(tmp_path / name).as_uri(), to=((tmp_path / "mirror" / name).as_uri(),))
        for name in ("inner.git", "hello.git")
    )
    assert fetch(spec, cache="other", rewrites=rewrites).digest == digest


def test_a_missing_submodule_is_named(nested: Path, tmp_path: Path, fetch: Fetch) -> None:
    shutil.rmtree(tmp_path / "inner.git")
    with pytest.raises(FetchError, match="'libs/inner' could not be fetched"):
        fetch(source(nested, "main"))


def test_a_mirror_whose_last_user_was_killed(
    repository: Path, tmp_path: Path, fetch: Fetch, tree: Tree
) -> None:
    fetch(source(repository, "v1"))
    mirror = next((tmp_path / "cache" / "mirrors" / "git").iterdir())
    for name in ("shallow.lock", "packed-refs.lock", "config.lock", "refs/heads/main.lock"):
        (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror / name).touch()
    top = tree(fetch(source(repository, "main", keep_repository=True)))
    assert (top / "file").read_text() == "three\n"


def test_git_missing(
    repository: Path, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError) as caught:
        fetch(source(repository, "v1"))
    assert "apt install git" in caught.value.resolution
