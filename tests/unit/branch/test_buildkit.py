"""Lists of BuildKits: manifests, pages, checksums."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.baseos.buildkit import Tarball, newest, read_checksum, read_manifest, read_page
from lapstrake.errors import BaseError
from lapstrake.names import Arch, Digest

SHA = "0123456789abcdef" * 4


def manifest(*rows: dict[str, object], variant: str = "BuildKit") -> str:
    return json.dumps({"version": 1, "variants": [{"name": variant, "tarballs": list(rows)}]})


def row(arch: str, date: str, **more: object) -> dict[str, object]:
    path = f"os-{arch}/buildkit/aosc-os_buildkit_{date}_{arch}.tar.xz"
    return {"arch": arch, "date": date, "path": path, "sha256sum": SHA, **more}


def test_the_newest_of_the_architecture_is_chosen_from_a_manifest() -> None:
    text = manifest(row("amd64", "20240101"), row("amd64", "20250301"), row("arm64", "20260101"))
    found = newest(read_manifest(text, "https://a.example/manifest/recipe.json"), Arch.AMD64)
    assert found == Tarball(
        url="https://a.example/os-amd64/buildkit/aosc-os_buildkit_20250301_amd64.tar.xz",
        digest=Digest("sha256", SHA),
        arch="amd64",
        date="20250301",
    )


def test_paths_are_relative_to_any_other_manifest() -> None:
    text = manifest(row("amd64", "20240101"))
    (found,) = read_manifest(text, "https://a.example/pub/list.json")
    assert found.url.startswith("https://a.example/pub/os-amd64/buildkit/")


def test_other_variants_are_left_out() -> None:
    text = manifest(row("amd64", "20240101"), variant="Desktop")
    assert read_manifest(text, "https://a.example/m.json") == ()


def test_names_of_machines_may_be_aosc_s() -> None:
    text = manifest(row("loongarch64", "20240101"))
    tarballs = read_manifest(text, "https://a.example/m.json")
    assert newest(tarballs, Arch.LOONG64) is not None
    assert newest(tarballs, Arch.AMD64) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"variants": 3}', '{"variants": [{"name": "BuildKit"}]}', "null",
     '{"variants": [{"name": "BuildKit", "tarballs": [{"arch": "amd64"}]}]}'],
)  # fmt: skip
def test_what_is_no_manifest_is_refused_with_its_url(text: str) -> None:
    with pytest.raises(BaseError, match=r"a\.example"):
        read_manifest(text, "https://a.example/m.json")


PAGE = """
<html><a href="../">up</a> <a href='aosc-os_buildkit_20240101_amd64.tar.xz'>one</a>
<a href="aosc-os_buildkit_20250101_amd64.tar.xz">two</a>
<a href="aosc-os_buildkit_20250101_amd64.tar.xz.sha256sum">its sum</a>
<a href="aosc-os_base_20260101_amd64.tar.xz">no BuildKit</a>
<a href="aosc-os_buildkit_20260101_arm64.tar.xz">another machine</a> <a name=x>
"""


def test_the_newest_is_chosen_from_a_page() -> None:
    found = newest(read_page(PAGE, "http://a.example/os/buildkit/"), Arch.AMD64)
    assert found is not None
    assert found.url == "http://a.example/os/buildkit/aosc-os_buildkit_20250101_amd64.tar.xz"
    assert found.date == "20250101"


@given(st.text())
def test_any_page_can_be_read(text: str) -> None:
    for tarball in read_page(text, "http://a.example/"):
        assert "buildkit" in tarball.name.lower()


@given(st.text(string.hexdigits + " *\n._x", max_size=200))
def test_any_checksum_file_can_be_read(text: str) -> None:
    digest = read_checksum(text, "x")
    assert digest is None or digest.hex in text.lower()


@pytest.mark.parametrize(
    "text, found",
    [
        (f"{SHA}  a.tar.xz\n", True),
        (f"{SHA} *a.tar.xz\n", True),
        (SHA, True),
        (f"{'f' * 64}  other\n{SHA}  a.tar.xz\n", True),
        (f"{SHA}  other\n{SHA}  another\n", False),
        ("<html>not found</html>", False),
    ],
)
def test_checksum_files(text: str, found: bool) -> None:
    assert read_checksum(text, "a.tar.xz") == (Digest("sha256", SHA) if found else None)
