"""load-baseos from OCI images: layers over each other, deletions, damaged and foreign layouts."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from crafted import ROOT, Image, Member, tar
from lapstrake.baseos.current import current_base
from lapstrake.baseos.load import load_base
from lapstrake.config.model import BaseMethod
from lapstrake.errors import BaseError, ChecksumError
from lapstrake.layer.store import Layer
from lapstrake.names import Arch, Digest
from lapstrake.place.workplace import Workplace
from roots import open_work_dir, run_cli

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

LOWER = tar(
    (
        *ROOT,
        Member(name="usr/gone", content=b"x"),
        Member(name="usr/folder-gone"),
        Member(name="usr/folder-gone/inside", content=b"x"),
        Member(name="usr/emptied"),
        Member(name="usr/emptied/old", content=b"x"),
        Member(name="usr/replaced", content=b"folder soon"),
        Member(name="etc/kept", content=b"lower", uid=33),
    )
)
UPPER = tar(
    (
        Member(name="usr/"),
        Member(name="usr/.wh.gone", content=b""),
        Member(name="usr/.wh.folder-gone", content=b""),
        Member(name="usr/emptied"),
        Member(name="usr/emptied/.wh..wh..opq", content=b""),
        Member(name="usr/emptied/new", content=b"y"),
        Member(name="usr/.wh.replaced", content=b""),
        Member(name="usr/replaced"),
        Member(name="etc/kept", content=b"upper", mode=0o4711),
    )
)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    (tmp_path / "work").mkdir()
    opened = open_work_dir(tmp_path / "work")
    return replace(opened, config=replace(opened.config, arch=Arch.AMD64))


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path / "image")


def load(place: Workplace, source: Path | str, checksum: str = "") -> Layer:
    digest = Digest("sha256", checksum.removeprefix("sha256:")) if checksum else None
    base = replace(place.config.base, method=BaseMethod.OCI, url=str(source), checksum=digest)
    return load_base(place, base)


def check_tree(tree: Path) -> None:
    assert sorted(path.name for path in (tree / "usr").iterdir()) == ["bin", "emptied", "replaced"]
    assert [path.name for path in (tree / "usr/emptied").iterdir()] == ["new"]
    assert (tree / "usr/replaced").is_dir()
    assert (tree / "etc/kept").read_bytes() == b"upper"
    assert (tree / "etc/kept").stat().st_mode & 0o7777 == 0o4711
    assert not list(tree.rglob(".wh.*"))


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.zst"])
def test_layers_are_laid_over_each_other(place: Workplace, image: Image, kind: str) -> None:
    image.index(image.manifest([(LOWER, "tar"), (UPPER, kind)]))
    for reference in (image.folder, f"oci:{image.folder}"):
        check_tree(load(place, reference).tree)


def test_the_machines_own_image_is_picked(place: Workplace, image: Image) -> None:
    def entry(arch: str, content: bytes) -> dict[str, object]:
        layer = tar((*ROOT, Member(name="etc/arch", content=content)))
        return {
            **image.manifest([(layer, "tar.gz")], arch=arch),
            "platform": {"architecture": arch, "os": "linux"},
        }

    import json

    inner = {"schemaVersion": 2, "manifests": [entry("arm64", b"arm64"), entry("amd64", b"amd64")]}
    image.index(image.blob(json.dumps(inner).encode(), "application/vnd.oci.image.index.v1+json"))
    assert (load(place, image.folder).tree / "etc/arch").read_bytes() == b"amd64"
    foreign = replace(place, config=replace(place.config, arch=Arch.S390X))
    with pytest.raises(BaseError, match="no image for s390x"):
        load(foreign, image.folder)


def test_tags_choose(place: Workplace, image: Image) -> None:
    entries = []
    for tag in ("one", "two"):
        layer = tar((*ROOT, Member(name="etc/tag", content=tag.encode())))
        name = {"org.opencontainers.image.ref.name": tag}
        entries.append({**image.manifest([(layer, "tar")]), "annotations": name})
    image.index(*entries)
    assert (load(place, f"oci:{image.folder}:two").tree / "etc/tag").read_bytes() == b"two"
    with pytest.raises(BaseError, match="called three"):
        load(place, f"oci:{image.folder}:three")


def test_the_images_digest_can_be_demanded(place: Workplace, image: Image) -> None:
    manifest = image.manifest([(LOWER, "tar")])
    image.index(manifest)
    load(place, image.folder, manifest["digest"])
    with pytest.raises((BaseError, ChecksumError), match="not the image"):
        load(place, image.folder, "sha256:" + "0" * 64)


def test_damage_is_found_and_the_old_base_kept(place: Workplace, image: Image) -> None:
    image.index(image.manifest([(LOWER, "tar"), (UPPER, "tar.gz")]))
    old = load(place, image.folder)
    for blob in sorted((image.folder / "blobs/sha256").iterdir()):
        whole = blob.read_bytes()
        if b'"architecture"' in whole:
            continue  # the configuration of containers, which a base OS has no use for
        for damaged in (whole[:-7], b"x" + whole[1:]):
            blob.write_bytes(damaged)
            with pytest.raises(BaseError, match=r"damaged|no OCI layout"):
                load(place, image.folder)
        blob.unlink()
        with pytest.raises(BaseError, match="missing"):
            load(place, image.folder)
        blob.write_bytes(whole)
    assert current_base(place).key == old.key


@pytest.mark.parametrize(
    "name", ["../.wh.etc", "usr/../../.wh.victim", "link/.wh.victim", ".wh.", ".wh..", ".wh..."]
)
def test_deletions_do_not_leave_the_tree(
    place: Workplace, image: Image, tmp_path: Path, name: str
) -> None:
    victims = [tmp_path / "victim", tmp_path / "etc"]
    for victim in victims:
        victim.write_text("kept")
    lower = tar((*ROOT, Member(name="link", link=str(tmp_path))))
    upper = tar((Member(name=name, content=b""),))
    image.index(image.manifest([(lower, "tar"), (upper, "tar")]))
    with pytest.raises(BaseError, match="leaves its own tree"):
        load(place, image.folder)
    assert all(victim.read_text() == "kept" for victim in victims)


ABSOLUTE = "{outside}"  # filled in with a folder of the host
THROUGH: dict[str, list[list[tuple[str, str | bytes | None]]]] = {
    "file": [[("x", ABSOLUTE)], [("x/cron", b"")]],
    "folder": [[("x", ABSOLUTE)], [("x/cron/", None)]],
    "deeper": [[("usr/bin/x", ABSOLUTE)], [("usr/bin/x/a/cron", b"")]],
    "climbing": [[("usr/x", "../../outside")], [("usr/x/cron", b"")]],
    "link-by-link": [[("x", ABSOLUTE), ("y", "x")], [("y/cron", b"")]],
    "link-of-the-same-layer": [[("x", ABSOLUTE)], [("y", "x"), ("y/cron", b"")]],
    "link-by-another-name": [
        [("usr/bin/x", ABSOLUTE), ("bin", "usr/bin")],
        [("bin/y", "x"), ("usr/bin/y/cron", b"")],
    ],
    "opaque-link": [[("x", ABSOLUTE)], [("x/.wh..wh..opq", b""), ("x/cron", b"")]],
    "hard-link": [[("x", ABSOLUTE)], [("stolen", "=x/secret")]],
    "hard-link-to-link": [[("x", ABSOLUTE)], [("y", "=x")], [("y/cron", b"")]],
    "two-dots": [[("x", ABSOLUTE)], [("usr/../x/cron", b"")]],
    "absolute-name": [[("x", ABSOLUTE)], [("/x/cron", b"")]],
    "strange-name": [[('x\n"\\', ABSOLUTE)], [('x\n"\\/cron', b"")]],
    "link-link": [[("x", ABSOLUTE)], [("x/cron", "/etc")]],
}  # fmt: skip


@pytest.mark.parametrize("layers", THROUGH.values(), ids=THROUGH)
def test_no_layer_writes_through_a_link_of_another(
    place: Workplace,
    image: Image,
    tmp_path: Path,
    layers: list[list[tuple[str, str | bytes | None]]],
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("kept")

    def member(name: str, what: str | bytes | None) -> Member:
        if not isinstance(what, str):
            return Member(name=name, content=what)
        link = what.format(outside=outside)
        return Member(name=name, link=link.removeprefix("="), hard=link.startswith("="))

    trees = [[*ROOT], *([member(*each) for each in layer] for layer in layers)]
    image.index(image.manifest([(tar(tree), "tar") for tree in trees]))
    with pytest.raises(BaseError, match="leaves its own tree"):
        load(place, image.folder)
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").stat().st_nlink == 1


def test_links_inside_the_tree_are_written_through(place: Workplace, image: Image) -> None:
    lower = (
        *ROOT,
        Member(name="bin", link="usr/bin"),
        Member(name="usr/up", link="../etc"),
        Member(name="var/run", link="/run"),
        Member(name="gone", link="/run"),
    )
    upper = (
        Member(name="bin/tool", content=b"1"),
        Member(name="usr/up/file", content=b"2"),
        Member(name="var/run/"),  # a folder takes the link's place
        Member(name="var/run/file", content=b"3"),
        Member(name=".wh.gone", content=b""),
        Member(name="gone/"),
        Member(name="gone/file", content=b"4"),
    )
    image.index(image.manifest([(tar(lower), "tar"), (tar(upper), "tar.zst")]))
    tree = load(place, image.folder).tree
    assert (tree / "bin").is_symlink()
    assert (tree / "usr/bin/tool").read_bytes() == b"1"
    assert (tree / "etc/file").read_bytes() == b"2"
    assert not (tree / "var/run").is_symlink()
    assert (tree / "var/run/file").read_bytes() == b"3"
    assert (tree / "gone/file").read_bytes() == b"4"


def test_the_whole_root_can_be_opaque(place: Workplace, image: Image) -> None:
    lower = tar((*ROOT, Member(name="etc/old", content=b"x")))
    upper = tar((Member(name=".wh..wh..opq", content=b""), *ROOT))
    image.index(image.manifest([(lower, "tar"), (upper, "tar")]))
    assert not (load(place, image.folder).tree / "etc/old").exists()


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
def test_whatever_skopeo_reads(place: Workplace, image: Image, tmp_path: Path) -> None:
    image.index(image.manifest([(LOWER, "tar.gz"), (UPPER, "tar.gz")]))
    archive = tmp_path / "image.tar"
    subprocess.run(
        ["skopeo", "copy", "--quiet", "--insecure-policy", f"oci:{image.folder}",
         f"docker-archive:{archive}:a/b:1"],
        check=True,
    )  # fmt: skip
    work = place.config.work_dir
    done = run_cli("load-baseos", f"docker-archive:{archive}", work_dir=work)
    assert done.ok, done.stderr
    check_tree(current_base(place).tree)
    missing = run_cli("load-baseos", f"docker-archive:{archive}.no", work_dir=work)
    assert missing.status == BaseError.exit_code
    assert "skopeo" in missing.stderr
