"""OCI layouts, as skopeo reads them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from handmade_images import Write, file, make_image, make_index, noise
from lapstrake.blobs.local import LocalBlobs
from lapstrake.config.model import Compression
from lapstrake.errors import ImageError, StoreError
from lapstrake.host.process import find_program
from lapstrake.image.base import Image
from lapstrake.names import Arch

NAME = "org.opencontainers.image.ref.name"


def skopeo(*words: str) -> str:
    program = find_program("skopeo")
    if program is None:
        pytest.skip("skopeo is not installed")
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def digest_of(reference: str) -> str:
    return str(json.loads(skopeo("inspect", reference))["Digest"])


def test_several_images_in_one_layout(
    blobs: LocalBlobs, image: Image, write: Write, tmp_path: Path
) -> None:
    other = make_image(blobs, [file("other")], compression=Compression.ZSTD)
    said = write(image, "oci:{}/out:v1")
    assert said == f"oci:{tmp_path}/out:v1 {image.oci.digest}"
    write(other, "oci:{}/out:v2")
    assert digest_of(f"oci:{tmp_path}/out:v1") == str(image.oci.digest)
    assert digest_of(f"oci:{tmp_path}/out:v2") == str(other.oci.digest)
    write(other, "oci:{}/out:v1")
    assert digest_of(f"oci:{tmp_path}/out:v1") == str(other.oci.digest)
    index = json.loads((tmp_path / "out/index.json").read_bytes())
    assert [entry["annotations"][NAME] for entry in index["manifests"]] == ["v2", "v1"]


def test_without_a_tag_the_newest_counts(
    blobs: LocalBlobs, image: Image, write: Write, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    write(make_image(blobs, [file("old")]), "oci:{}/out")
    write(image, "oci:{}/out")
    assert digest_of(f"oci:{tmp_path}/out") == str(image.oci.digest)


def test_whole_images_arrive(image: Image, write: Write, tmp_path: Path) -> None:
    """skopeo compares all digests when it copies."""
    write(image, "oci:{}/out:v1")
    skopeo("copy", f"oci:{tmp_path}/out:v1", f"dir:{tmp_path}/copy")
    for part in (image.config, *(layer.blob for layer in image.layers)):
        assert (tmp_path / "copy" / part.digest.hex).stat().st_size == part.size


def test_skopeo_adds_to_ours_and_we_to_skopeos(image: Image, write: Write, tmp_path: Path) -> None:
    write(image, "oci:{}/out:ours")
    skopeo("copy", f"oci:{tmp_path}/out:ours", f"oci:{tmp_path}/out:theirs")
    skopeo("copy", f"oci:{tmp_path}/out:ours", f"oci:{tmp_path}/new:theirs")
    write(image, "oci:{}/new:ours")
    for reference in ("out:ours", "out:theirs", "new:ours", "new:theirs"):
        assert digest_of(f"oci:{tmp_path}/{reference}") == str(image.oci.digest)


def test_an_index(blobs: LocalBlobs, write: Write, tmp_path: Path) -> None:
    members = [make_image(blobs, [file(arch)], arch=arch) for arch in (Arch.AMD64, Arch.ARM64)]
    index = make_index(blobs, *members)
    write(index, "oci:{}/out:all")
    raw = skopeo("inspect", "--raw", f"oci:{tmp_path}/out:all")
    assert [entry["digest"] for entry in json.loads(raw)["manifests"]] == [
        str(member.oci.digest) for member in members
    ]
    skopeo("copy", "--all", f"oci:{tmp_path}/out:all", f"dir:{tmp_path}/copy")


def test_an_archive(blobs: LocalBlobs, image: Image, write: Write, tmp_path: Path) -> None:
    write(image, "oci-archive:{}/out.tar:v1")
    assert digest_of(f"oci-archive:{tmp_path}/out.tar:v1") == str(image.oci.digest)
    once = (tmp_path / "out.tar").read_bytes()
    write(image, "oci-archive:{}/out.tar:v1")
    assert (tmp_path / "out.tar").read_bytes() == once
    write(make_image(blobs, [file("other")]), "oci-archive:{}/out.tar")
    assert digest_of(f"oci-archive:{tmp_path}/out.tar") != str(image.oci.digest)


@pytest.mark.parametrize("index", [None, "", "[]", '{"manifests": 3}'])
def test_a_folder_of_something_else(
    image: Image, write: Write, tmp_path: Path, index: str | None
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter").write_text("dear")
    if index is not None:
        (tmp_path / "home/index.json").write_text(index)
    before = sorted((tmp_path / "home").iterdir())
    with pytest.raises(ImageError, match="is not empty, and no OCI layout"):
        write(image, "oci:{}/home")
    assert sorted((tmp_path / "home").iterdir()) == before


def test_two_at_a_time(blobs: LocalBlobs, write: Write, tmp_path: Path) -> None:
    images = [make_image(blobs, [file(str(number))]) for number in range(8)]
    threads = [
        threading.Thread(target=write, args=(image, f"oci:{{}}/out:v{number}"))
        for number, image in enumerate(images)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index = json.loads((tmp_path / "out/index.json").read_bytes())
    assert len(index["manifests"]) == 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("file systems may not be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    "target",
    ["oci:{}/small/out:v1", "oci-archive:{}/small/out", "docker-archive:{}/small/out",
     "tar:{}/small/out", "tar:{}/small/out.zst", "squashfs:{}/small/out"],
)  # fmt: skip
def test_a_full_disk(
    small_disk: Path, blobs: LocalBlobs, write: Write, tmp_path: Path, target: str
) -> None:
    small, large = (make_image(blobs, [file("a", noise(size))]) for size in (10, 2 << 20))
    write(small, target)
    old = _bytes_below(small_disk)
    with pytest.raises(ImageError, match=r"cannot be written|writing squashfs") as full:
        write(large, target)
    assert "No space left" in str(full.value)
    assert old.items() <= _bytes_below(small_disk).items()
    if not target.startswith("oci:"):
        assert _bytes_below(small_disk) == old
    assert not list(small_disk.rglob(".lapstrake-tmp.*"))


def test_a_blob_that_is_missing(
    blobs: LocalBlobs, image: Image, write: Write, tmp_path: Path
) -> None:
    write(image, "tar:{}/out.tar")
    old = (tmp_path / "out.tar").read_bytes()
    blobs.remove(image.layers[1].blob.digest)
    for target in ("tar:{}/out.tar", "oci:{}/out:v1", "docker-archive:{}/out.tar"):
        with pytest.raises(StoreError, match=r"the blob sha256:\w+ is not in the store"):
            write(image, target)
    assert (tmp_path / "out.tar").read_bytes() == old
    assert not (tmp_path / "out/index.json").exists()


VICTIM = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from handmade_images import file, make_image, noise
from lapstrake.blobs.local import LocalBlobs
from lapstrake.image.outputs.write import write_image
from lapstrake.progress import Silent
blobs = LocalBlobs(Path(sys.argv[1]))
image = make_image(blobs, *([file(str(number), noise(1 << 20))] for number in range(9)))
print(image.oci.digest, flush=True)
write_image(blobs, image, sys.argv[2], progress=Silent())
"""


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05])
def test_killed_while_writing(
    blobs: LocalBlobs, image: Image, write: Write, tmp_path: Path, delay: float
) -> None:
    """Whatever was there before is there, or what was to be; a second run goes through."""
    write(image, "oci:{}/out:v1")
    tests = Path(__file__).parents[2]
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, blobs.folder, f"oci:{tmp_path}/out:v1", tests],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert victim.stdout is not None
    new = victim.stdout.readline().strip()
    time.sleep(delay)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    assert digest_of(f"oci:{tmp_path}/out:v1") in (str(image.oci.digest), new)
    write(image, "oci:{}/out:v1")
    assert digest_of(f"oci:{tmp_path}/out:v1") == str(image.oci.digest)
    assert not list((tmp_path / "out").rglob(".lapstrake-tmp.*"))


def _bytes_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
