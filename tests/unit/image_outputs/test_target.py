"""Targets as users write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.errors import ImageError, UsageError
from lapstrake.image.outputs.target import Kind, check_target, parse_target


@pytest.mark.parametrize(
    "text, kind, path, tag",
    [
        ("oci:out", Kind.LAYOUT, "out", ""),
        ("oci:/a/b:v1", Kind.LAYOUT, "/a/b", "v1"),
        ("oci:out:host.example/hello:stable", Kind.LAYOUT, "out", "host.example/hello:stable"),
        ("oci-archive:a.tar:v1", Kind.LAYOUT_ARCHIVE, "a.tar", "v1"),
        ("docker-archive:a.tar", Kind.DOCKER_ARCHIVE, "a.tar", ""),
        ("tar:root:1.tar.gz", Kind.TAR, "root:1.tar.gz", ""),
        ("squashfs:root.sqfs", Kind.SQUASHFS, "root.sqfs", ""),
    ],
)
def test_files(text: str, kind: Kind, path: str, tag: str) -> None:
    target = parse_target(text)
    assert (target.kind, target.path, target.tag) == (kind, Path(path), tag)
    assert target.text == text


@pytest.mark.parametrize(
    "text, host, name, tag, plain",
    [
        ("docker://localhost:5000/a/hello:v1", "localhost:5000", "a/hello", "v1", False),
        ("docker://registry.example/hello", "registry.example", "hello", "latest", False),
        ("docker+http://near:80/x-y__z.q:T", "near:80", "x-y__z.q", "T", True),
        ("docker://[::1]:5000/a:b", "[::1]:5000", "a", "b", False),
    ],
)
def test_registries(text: str, host: str, name: str, tag: str, plain: bool) -> None:
    target = parse_target(text)
    assert target.kind is Kind.REGISTRY
    assert (target.host, target.name, target.tag, target.plain) == (host, name, tag, plain)


@pytest.mark.parametrize(
    "text, reference",
    [
        ("docker-daemon:hello", "hello:latest"),
        ("docker-daemon:localhost:5000/a/hello", "localhost:5000/a/hello:latest"),
        ("containers-storage:a.example/hello:v1", "a.example/hello:v1"),
        ("docker-archive:f:hello:v1", "hello:v1"),
        ("docker-archive:f:localhost:5000/hello:v1", "localhost:5000/hello:v1"),
    ],
)
def test_names(text: str, reference: str) -> None:
    assert parse_target(text).reference == reference


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "images cannot go to ''"),
        ("out", "images cannot go to 'out'"),
        ("floppy:a", "images cannot go to 'floppy'"),
        ("oci:", "does not say where"),
        ("tar:", "does not say where"),
        ("oci:out:a b", "'a b' is no tag"),
        ("docker:hello", "names no registry"),
        ("docker:///hello", "names no registry"),
        ("docker://host", "names no registry"),
        ("docker://ho st/hello", "names no registry"),
        ("docker://a..b/hello", "names no registry"),
        ("docker://host:99999/hello", "names no registry"),
        ("docker://host:0/hello", "names no registry"),
        ("docker://[1:2]/hello", "names no registry"),
        ("docker://user:secret@host/hello", "names no registry"),
        ("docker://host/Hello", "'Hello' is no name"),
        ("docker://host/a/../b", "'a/../b' is no name"),
        ("docker://host/a//b", "'a//b' is no name"),
        ("docker://host/hello:", "'' is no tag"),
        ("docker://host/hello:-x", "'-x' is no tag"),
        ("docker://host/other.example/" + "a" * 250, "at most 255"),
        ("docker-daemon:UPPER:v1", "'UPPER' is no name"),
    ],
)
def test_nonsense(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_target(text)
    assert said in refused.value.brief
    assert repr(text) in refused.value.brief


@given(st.text(max_size=40) | st.text("abA.:/-@ ", max_size=30).map(lambda rest: f"docker:{rest}"))
def test_any_text_is_a_target_or_a_usage_error(text: str) -> None:
    try:
        target = parse_target(text)
    except UsageError:
        return
    if target.name:
        assert ".." not in target.name
        assert target.tag


@pytest.mark.parametrize(
    "host, local",
    [
        ("localhost", True), ("localhost:5000", True), ("127.0.0.1:5000", True),
        ("127.1.2.3", True), ("[::1]:5000", True),
        ("localhost.example", False), ("127.0.0.1.example:5000", False), ("127.example", False),
        ("10.0.0.1:5000", False), ("[2001:db8::1]", False),
    ],
)  # fmt: skip
def test_what_is_on_this_machine(host: str, local: bool) -> None:
    """Passwords go there without TLS, and nowhere else."""
    assert parse_target(f"docker://{host}/hello:v1").repository.local == local


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"the folder .*/no does not exist") as refused:
        check_target(parse_target(f"tar:{tmp_path}/no/root.tar"))
    assert "mkdir -p" in refused.value.resolution


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder"):
        check_target(parse_target(f"squashfs:{tmp_path}"))
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="is no folder"):
        check_target(parse_target(f"oci:{tmp_path}/file"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else() -> None:
    with pytest.raises(ImageError, match="nothing can be written"):
        check_target(parse_target("tar:/usr/root.tar"))


def test_good_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "layout").mkdir()
    for text in ("oci:new", "oci:layout:v1", "tar:root.tar", "docker://nowhere.example/a:b"):
        check_target(parse_target(text))
