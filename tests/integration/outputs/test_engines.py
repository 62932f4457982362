"""Images in docker and podman: loaded from archives, handed over, run; their roots compared."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import remove_images
from handmade_images import Write, file, make_image, make_index
from lapstrake.blobs.local import LocalBlobs
from lapstrake.config.model import Compression, host_arch
from lapstrake.errors import ImageError
from lapstrake.image.base import Image
from lapstrake.names import Arch

HELLO = "hello from the planks\n"


@pytest.fixture(params=["docker", "podman"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each engine's program; the environment leads to its store."""
    name = str(request.param)
    if name == "docker":
        monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("docker_daemon"))
    else:
        for variable, value in request.getfixturevalue("podman_settings").items():
            monkeypatch.setenv(variable, value)
    yield name
    remove_images({}, "localhost/planks/", program=name)


def call(*words: str | Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def target_of(engine: str) -> str:
    return "docker-daemon:" if engine == "docker" else "containers-storage:"


def test_handed_over_and_run(engine: str, image: Image, write: Write) -> None:
    said = write(image, f"{target_of(engine)}localhost/planks/hello:v1")
    assert str(image.oci.digest) in said
    assert call(engine, "run", "--rm", "--network=none", "localhost/planks/hello:v1") == HELLO
    facts = json.loads(call(engine, "image", "inspect", "localhost/planks/hello:v1"))[0]
    assert facts["RootFS"]["Layers"] == [str(layer.diff_id) for layer in image.layers]


def test_an_archive_loaded(engine: str, image: Image, write: Write, tmp_path: Path) -> None:
    write(image, "docker-archive:{}/hello.tar:localhost/planks/archived:v1")
    once = (tmp_path / "hello.tar").read_bytes()
    call(engine, "load", "--input", tmp_path / "hello.tar")
    assert call(engine, "run", "--rm", "--network=none", "localhost/planks/archived:v1") == HELLO
    write(image, "docker-archive:{}/hello.tar:localhost/planks/archived:v1")
    assert (tmp_path / "hello.tar").read_bytes() == once


def test_an_archive_without_a_name(
    engine: str, blobs: LocalBlobs, write: Write, tmp_path: Path
) -> None:
    """Layers in zstd, and the same one twice."""
    twice = [file("a", b"a")]
    image = make_image(blobs, twice, [file("b")], twice, compression=Compression.ZSTD)
    write(image, "docker-archive:{}/hello.tar")
    call(engine, "load", "--input", tmp_path / "hello.tar")
    facts = json.loads(call(engine, "image", "inspect", image.config.digest.hex))[0]
    assert len(facts["RootFS"]["Layers"]) == 3
    call(engine, "rmi", image.config.digest.hex)


def test_the_root_is_what_the_engine_shows(
    engine: str, image: Image, write: Write, tmp_path: Path
) -> None:
    """The engine lays the layers over each other, too."""
    write(image, f"{target_of(engine)}localhost/planks/root:v1")
    container = call(engine, "create", "--network=none", "localhost/planks/root:v1").split()[-1]
    call(engine, "export", "--output", tmp_path / "theirs.tar", container)
    call(engine, "rm", container)
    write(image, "tar:{}/ours.tar")
    theirs, ours = (members(tmp_path / f"{name}.tar") for name in ("theirs", "ours"))
    # What engines put into every container.
    extra = {name for name in theirs if name.split("/")[0] in {"dev", "proc", "sys", "run"}}
    extra |= {".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "", "."}
    assert {name: facts for name, facts in theirs.items() if name not in extra} == {
        name: facts for name, facts in ours.items() if name not in extra
    }


def members(archive: Path) -> dict[str, tuple[object, ...]]:
    """Name → what a tar says of each file; hard links by what they lead to."""
    found: dict[str, tuple[object, ...]] = {}
    with tarfile.open(archive) as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isreg() or entry.islnk() else None
            found[entry.name.removeprefix("./").strip("/")] = (
                entry.mode & 0o7777, entry.uid, entry.gid, entry.issym() and entry.linkname,
                entry.isdir(), content.read() if content else b"",
            )  # fmt: skip
    return found


def test_the_member_for_this_machine(engine: str, blobs: LocalBlobs, write: Write) -> None:
    other = Arch.RISCV64 if host_arch() is not Arch.RISCV64 else Arch.S390X
    images = [make_image(blobs, [file(arch)], arch=arch) for arch in (other, host_arch())]
    said = write(make_index(blobs, *images), f"{target_of(engine)}localhost/planks/many:v1")
    assert str(images[1].oci.digest) in said
    with pytest.raises(ImageError, match="images for"):
        write(make_index(blobs, images[0], images[0]), f"{target_of(engine)}many:v1")


def test_a_daemon_that_is_away(
    image: Image, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere")
    with pytest.raises(ImageError, match="docker does not answer") as refused:
        write(image, "docker-daemon:hello:v1")
    assert "docker-archive:FILE" in refused.value.resolution
