"""Images of a branch's packages: what is in them, and that equal things have equal bytes."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lapstrake.blobs.local import LocalBlobs
from lapstrake.branch.instance import enter_branch
from lapstrake.compose.archive import package_layers
from lapstrake.compose.base import ComposedRoot, How, Wanted
from lapstrake.compose.closure import closure_of
from lapstrake.compose.installed import installed_layer
from lapstrake.compose.resolve import resolve
from lapstrake.compose.root import compose_root
from lapstrake.compose.view import View
from lapstrake.errors import ImageError, MissingError, RunnerError, StoreError
from lapstrake.image.base import Image
from lapstrake.image.leftovers import NEVER
from lapstrake.image.make import made_image, make_image, make_index
from lapstrake.image.names import read_words
from lapstrake.image.record import find_image
from lapstrake.image.sources.remaining import remainder_of, remainder_over
from lapstrake.names import Arch, BranchName
from lapstrake.place.foreign import place_for, require_machine
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of
from roots import clone, open_work_dir, run_cli

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
ALWAYS = {"images.always": "base-files"}
STABLE = BranchName("stable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A place with a store of blobs."""

    place: Workplace
    blobs: LocalBlobs

    def make(self, *words: str, **changes: Any) -> Image:
        (request,) = read_words(self.place.config, words)
        return make_image(self.place, self.blobs, replace(request, **changes))

    def document(self, image: Image) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(b"".join(self.blobs.read(image.config.digest)))
        return found


@pytest.fixture(scope="module")
def shelf(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """One work folder for all tests here: what one makes, another finds."""
    work_dir = clone(base_work_dir, tmp_path_factory.mktemp("images") / "work")
    place = open_work_dir(work_dir)
    images = replace(place.config.images, always=("base-files",))
    place = Workplace(
        config=replace(place.config, images=images), runner=place.runner, progress=place.progress
    )
    return Shelf(place=place, blobs=LocalBlobs(work_dir / "images"))


@pytest.fixture(scope="module")
def minimal(shelf: Shelf) -> Image:
    """An image of hello and jq, and nothing that they do not need."""
    return shelf.make("hello", "jq")


@pytest.fixture(scope="module")
def unpacked(shelf: Shelf, minimal: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its root."""
    root = tmp_path_factory.mktemp("root")
    for layer in minimal.layers:
        file = shelf.blobs.path(layer.blob.digest)
        subprocess.run(["tar", "-xpf", str(file), "-C", str(root)], check=True)
    return root


def names_in(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            yield str(Path(folder, name).relative_to(root))


def test_a_minimal_image_has_what_its_packages_need_and_runs(
    minimal: Image, unpacked: Path
) -> None:
    names = {text.partition("_")[0] for text in minimal.packages}
    assert {"hello", "jq", "libjq1", "libc6", "base-files"} <= names
    assert not names & {"apt", "dpkg", "bash", "perl-base"}
    said = subprocess.run(["chroot", str(unpacked), "hello"], capture_output=True, text=True)
    assert said.stdout == "Hello, world!\n", said.stderr
    subprocess.run(["chroot", str(unpacked), "jq", "--version"], check=True, capture_output=True)


def test_dpkg_finds_the_packages_and_nothing_wrong(minimal: Image, unpacked: Path) -> None:
    audit = subprocess.run(
        ["dpkg", f"--root={unpacked}", "--audit"], capture_output=True, text=True
    )
    assert (audit.returncode, audit.stdout, audit.stderr) == (0, "", "")
    listed = subprocess.run(
        ["dpkg-query", f"--admindir={unpacked}/var/lib/dpkg", "-W",
         "-f=${Package}_${Version}_${Architecture} ${db:Status-Abbrev}\n"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert sorted(listed) == [f"{name} ii " for name in minimal.packages]
    verified = subprocess.run(
        ["dpkg", f"--root={unpacked}", "--verify"], capture_output=True, text=True
    )
    assert verified.stdout == ""


def test_nothing_dangles_and_nothing_of_this_host_is_there(unpacked: Path) -> None:
    never = re.compile(NEVER)
    for name in names_in(unpacked):
        assert not never.fullmatch(name), name
        path = unpacked / name
        if path.is_symlink():
            target = str(path.readlink())
            there = (
                unpacked / target.lstrip("/") if target.startswith("/") else path.parent / target
            )
            assert os.path.lexists(there) or "run" in target, f"{name} -> {target}"
    files = [unpacked / name for name in ("etc/passwd", "etc/ld.so.cache", "var/lib/dpkg/status")]
    assert {int(file.lstat().st_mtime) for file in files} == {
        int((unpacked / "var/lib/dpkg/arch").lstat().st_mtime)
    }


def test_the_linker_s_cache_has_what_is_there(unpacked: Path) -> None:
    listed = subprocess.run(
        ["ldconfig", "-r", str(unpacked), "-p"], capture_output=True, text=True, check=True
    ).stdout
    found = set(re.findall(r"=> (\S+)", listed))
    assert any(path.endswith("libjq.so.1") for path in found)
    assert all((unpacked / path.lstrip("/")).exists() for path in found)


def test_manifests_and_configuration_describe_the_layers(shelf: Shelf, minimal: Image) -> None:
    config = shelf.document(minimal)
    assert config["rootfs"]["diff_ids"] == [str(layer.diff_id) for layer in minimal.layers]
    assert len(config["history"]) == len(minimal.layers)
    assert minimal.layers[-1].what == "configuration"
    members = [name for layer in minimal.layers for name in layer.members]
    assert sorted(members) == list(minimal.packages)
    for descriptor in (minimal.oci, minimal.docker):
        assert descriptor is not None
        document = json.loads(b"".join(shelf.blobs.read(descriptor.digest)))
        assert document["mediaType"] == descriptor.media_type
        assert [layer["digest"] for layer in document["layers"]] == [
            str(layer.blob.digest) for layer in minimal.layers
        ]


def test_order_and_twins_make_the_same_image(shelf: Shelf, minimal: Image) -> None:
    assert shelf.make("jq", "hello", "jq").oci == minimal.oci


def test_a_finished_image_is_found_without_work(shelf: Shelf, minimal: Image) -> None:
    (request,) = read_words(shelf.place.config, ["hello", "jq"])
    assert made_image(shelf.place, shelf.blobs, request) == minimal
    assert find_image(shelf.blobs, minimal.key) == minimal
    assert made_image(shelf.place, shelf.blobs, replace(request, budget=3)) is None


def test_another_user_s_image_without_root_has_the_same_bytes(
    shelf: Shelf, minimal: Image, rootless_work_dir: tuple[str, Path]
) -> None:
    user, work_dir = rootless_work_dir
    done = run_cli(
        "--set", "images.always=base-files", "image", "build", "hello", "jq", "--json",
        work_dir=work_dir, user=user,
    )  # fmt: skip
    assert done.ok, done.stderr
    assert json.loads(done.stdout)["oci"]["digest"] == str(minimal.oci.digest)


def test_images_share_the_layers_of_their_packages(shelf: Shelf, minimal: Image) -> None:
    other = shelf.make("hello")
    mine = {layer.blob.digest for layer in minimal.layers}
    theirs = [layer for layer in other.layers if layer.what == "packages"]
    assert all(layer.blob.digest in mine for layer in theirs)


def test_on_a_base_os(shelf: Shelf, tmp_path: Path) -> None:
    image = shelf.make("hello", base=True)
    assert [layer.what for layer in image.layers] == ["base", "base", "packages", "configuration"]
    assert any(name.startswith("apt_") for name in image.packages)
    assert shelf.document(image)["config"]["Cmd"] == ["bash"]
    root = tmp_path / "root"
    root.mkdir()
    for layer in image.layers:
        file = shelf.blobs.path(layer.blob.digest)
        subprocess.run(["tar", "-xpf", str(file), "-C", str(root)], check=True)
    audit = subprocess.run(["chroot", str(root), "dpkg", "--audit"], capture_output=True)
    assert (audit.returncode, audit.stdout) == (0, b"")
    subprocess.run(["chroot", str(root), "apt-get", "check"], check=True, capture_output=True)
    assert not list((root / "var/lib/apt/lists").glob("*Packages*"))


def test_what_a_request_says_of_running(shelf: Shelf) -> None:
    image = shelf.make(
        "hello", command=("hello", "-t"), env={"A": "b c"}, user="1000:1000", workdir="/srv",
        labels={"x.y": "z"}, created=1_000_000_000,
    )  # fmt: skip
    document = shelf.document(image)
    assert document["created"] == "2001-09-09T01:46:40Z"
    assert document["config"] == {
        "Cmd": ["hello", "-t"],
        "Env": ["A=b c", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "User": "1000:1000",
        "WorkingDir": "/srv",
        "Labels": {"x.y": "z"},
    }


def test_a_small_budget_joins_layers(shelf: Shelf, minimal: Image) -> None:
    image = shelf.make("hello", "jq", budget=3)
    assert len(image.layers) == 3
    assert image.packages == minimal.packages
    with pytest.raises(ImageError, match="budget of 1"):
        shelf.make("hello", "jq", budget=1)


def test_all_that_is_missing_is_named(shelf: Shelf) -> None:
    with pytest.raises(MissingError) as missing:
        shelf.make("nothere", "hello", "no-plus-plus")
    assert set(missing.value.names) == {"nothere", "no-plus-plus"}


def test_pluses_of_names(shelf: Shelf) -> None:
    image = shelf.make("libstdc-plus-plus6")
    assert any(name.startswith("libstdc++6_") for name in image.packages)


def test_an_index(shelf: Shelf, minimal: Image) -> None:
    (request,) = read_words(shelf.place.config, ["hello", "jq"])
    index = make_index(shelf.place, shelf.blobs, [request])
    document = json.loads(b"".join(shelf.blobs.read(index.oci.digest)))
    assert document["manifests"][0]["digest"] == str(minimal.oci.digest)
    assert document["manifests"][0]["platform"]["os"] == "linux"


def test_what_apt_installed_leaves_the_same_remainder(shelf: Shelf) -> None:
    """A composed root and one that apt made differ in nothing that an image shows."""
    place = shelf.place
    branch = enter_branch(place, STABLE, refresh=False)
    repository = repository_of(place, STABLE)
    wanted = Wanted(packages=("jq", "nano", "gawk"))
    root = compose_root(place, branch, repository, wanted)
    assert root.how is How.COMPOSED
    view = View(place=place, branch=branch, repository=repository)
    layer = installed_layer(view, wanted, resolve(view, wanted), reason="a test")
    other: ComposedRoot = replace(root, layers=(layer,), how=How.INSTALLED)
    packages = closure_of(place, root, wanted.packages)
    layers = package_layers(place, branch, repository, packages)
    trees = [remainder_of(place, each, packages, layers, time=9).tree for each in (root, other)]
    diff = ["diff", "-r", "--no-dereference", *map(str, trees)]
    subprocess.run(diff, check=True)
    listings = [
        [(name, stat.S_IMODE((tree / name).lstat().st_mode)) for name in sorted(names_in(tree))]
        for tree in trees
    ]
    assert listings[0] == listings[1]
    assert (trees[0] / "etc/alternatives/awk").readlink() == Path("/usr/bin/gawk")
    assert not (trees[0] / "etc/alternatives/pager").is_symlink()  # its only choice is absent
    added = {package.name for package in root.added}
    over = remainder_over(place, other, {name: layers[name] for name in added})
    assert not (over.tree / "usr/bin/jq").exists()
    assert (over.tree / "var/lib/dpkg/status").exists()


def test_a_full_disk_in_the_middle_of_a_layer(shelf: Shelf, minimal: Image, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    try:
        blobs = LocalBlobs(small)
        (request,) = read_words(shelf.place.config, ["hello", "jq"])
        with pytest.raises(StoreError, match="No space left on device") as full:
            make_image(shelf.place, blobs, request)
        assert "Traceback" not in full.value.details
        assert not list(blobs.scratch.iterdir())
        assert made_image(shelf.place, blobs, request) is None
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        assert make_image(shelf.place, blobs, request).oci == minimal.oci
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def test_machines_that_this_host_cannot_run(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="no programs for s390x") as refused:
        require_machine(Arch.S390X, binfmt=tmp_path)
    assert "qemu-user-static" in refused.value.resolution
    (tmp_path / "qemu-s390x").write_text("enabled\ninterpreter /usr/bin/q\nflags: \n")
    with pytest.raises(RunnerError, match="does not reach into roots"):
        require_machine(Arch.S390X, binfmt=tmp_path)
    (tmp_path / "qemu-s390x").write_text("enabled\ninterpreter /usr/bin/q\nflags: PF\n")
    require_machine(Arch.S390X, binfmt=tmp_path)
    foreign = place_for(shelf.place, Arch.ARM64)
    assert foreign.store is shelf.place.store
    assert foreign.output(STABLE) == shelf.place.output(STABLE)
    assert foreign.private != shelf.place.private
    assert place_for(foreign, shelf.place.config.arch) is shelf.place
