"""Sources through the program: version control, indexes, archives, mirrors, and what goes wrong."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from shop import EXAMPLES, Shop
from webserver import Site, fail, serve

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org", "HGPLAIN": "1", "HGRCPATH": "", "HGUSER": "a",
    "BRZ_EMAIL": "a <a@example.org>", "BRZ_LOG": "/dev/null", "USER": "a",
}  # fmt: skip
SCRIPTS = {
    "git": """git init -q repo; cd repo; echo content > file; git add file; git commit -q -m one
        git rev-parse HEAD >&3""",
    "svn": """svnadmin create repo; svn mkdir -q -m start file://$PWD/repo/trunk
        svn checkout -q file://$PWD/repo/trunk work; cd work; echo content > file
        svn add -q file; svn commit -q -m one; echo 2 >&3""",
    "hg": """hg init repo; cd repo; echo content > file; hg commit -q -A -m one
        hg log -r 0 --template '{node}' >&3""",
    "bzr": """brz init -q repo; cd repo; echo content > file; brz add -q; brz commit -q -m one
        echo 1 >&3""",
    "fossil": """fossil init -A a repo >/dev/null; mkdir work; cd work
        fossil open ../repo >/dev/null; echo content > file; fossil add file >/dev/null
        fossil commit -m one --user-override a --no-prompt >/dev/null
        fossil info | sed -n 's/^checkout: *\\([0-9a-f]*\\).*/\\1/p' >&3""",
}
PROGRAMS = {"svn": "svnadmin", "bzr": "brz"}


def repository(shop: Shop, kind: str) -> tuple[str, str]:
    """Make a repository of one commit; gives its URL and the commit."""
    if shutil.which(PROGRAMS.get(kind, kind)) is None:
        pytest.skip(f"the program {PROGRAMS.get(kind, kind)} is missing")
    folder = shop.scratch()
    done = subprocess.run(
        ["sh", "-ec", f"exec 3>&1 >/dev/null\n{SCRIPTS[kind]}"],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT, "HOME": str(folder), "FOSSIL_HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    path = folder / ("repo/trunk" if kind == "svn" else "repo")
    return path.as_uri(), done.stdout.strip()


def archive(**files: str) -> bytes:
    """A compressed archive of one folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def sourced(shop: Shop, url: str, data: bytes, *, steps: str = "cat file") -> Path:
    """A bundle whose one source is at a URL, and should be these bytes."""
    digest = hashlib.sha256(data).hexdigest()
    return shop.bundle(
        "sourced", steps={"build": steps}, extra=f'[[source]]\nurl = "{url}"\nsha256 = "{digest}"'
    )


@pytest.mark.parametrize("kind", ["git", "svn", "hg", "bzr", "fossil"])
def test_version_control(shop: Shop, branch: str, kind: str) -> None:
    url, revision = repository(shop, kind)
    extra = f'[[source]]\n{kind} = "{url}"\nrevision = "{revision}"'
    bundle = shop.bundle("checked-out", steps={"build": "cat file"}, extra=extra)
    record = shop.build(bundle, branch)
    assert "\ncontent\n" in shop.log(record)
    assert len(record["inputs"]["sources"]) == 1
    again = shop.build(bundle, branch, "--offline")
    assert again["inputs"]["sources"] == record["inputs"]["sources"]


def test_indexes(shop: Shop) -> None:
    """Of the Python index and the npm registry; the second time from the cache."""
    words = ("fetch", "--json", str(EXAMPLES / "native/six"), "is-number", "lang-python/semver")
    first = json.loads(shop.ok(*words).stdout)
    second = json.loads(shop.ok(*words, "--offline").stdout)
    assert [row["digest"] for row in first] == [row["digest"] for row in second]
    assert all(row["cached"] for row in second)
    assert {row["bundle"] for row in first} == {"python3-lapstrake-six", "is-number", "semver"}


def test_fetch_needs_no_branch(shop: Shop, site: Site, tmp_path: Path) -> None:
    """Nor a base OS; without --json it is a table."""
    data = archive(top__file="content\n")
    bundle = sourced(shop, site.put("/a.tar.gz", serve(data)), data)
    own = Shop(work_dir=tmp_path / "fresh")
    own.work_dir.mkdir()
    row = own.ok("fetch", str(bundle)).stdout.split()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert row == ["1.bin", digest, str(len(data)), "bytes", "fetched"]
    assert own.ok("fetch", str(bundle)).stdout.split()[-1] == "cached"
    assert not (own.work_dir / ".builder/base.json").exists()
    own.fails(5, "fetch", "apt:hello")


def test_fetch_only_then_offline(shop: Shop, branch: str, site: Site) -> None:
    data = archive(top__file="content\n")
    bundle = sourced(shop, site.put("/once.tar.gz", serve(data)), data)
    shop.fails(7, "build", "--offline", str(bundle), branch)
    done = shop.ok("build", "--fetch-only", str(bundle), branch)
    assert done.stdout.split()[-1] == "fetched"
    assert not shop.output(branch).exists()
    asked = len(site.requests)
    assert "\ncontent\n" in shop.log(shop.build(bundle, branch, "--offline"))
    assert len(site.requests) == asked


def test_what_a_build_finds(shop: Shop, branch: str, site: Site) -> None:
    """The archive as ``VERSION.bin``, the next one as ``VERSION-1.bin``, files by their names."""
    one, two = archive(top__file="content\n"), b"plain text\n"
    urls = [site.put("/one.tar.gz", serve(one)), site.put("/two.txt", serve(two))]
    tables = "\n".join(
        f'[[source]]\nurl = "{url}"\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n{more}'
        for url, data, more in zip(
            urls, (one, two), ("", 'unpack = false\nname = "two.txt"'), strict=True
        )
    )
    steps = 'cat ../two.txt; echo "$LAPSTRAKE_SOURCES"; cat "$LAPSTRAKE_BUILDROOT/1.bin" | wc -c'
    bundle = shop.bundle("finder", steps={"build": steps}, extra=tables)
    record = shop.build(bundle, branch, "--keep")
    assert f"plain text\n1.bin\ntwo.txt\n{len(one)}\n" in shop.log(record)
    kept = shop.work_dir / "kept" / record["id"] / "upper/buildroot"
    assert (kept / "1.bin").read_bytes() == one
    assert (kept / "build/top/file").read_text() == "content\n"


def test_mirrors_of_the_configuration(shop: Shop, branch: str, site: Site) -> None:
    """The first mirror lacks it, the second one has it; the URL itself is never asked."""
    data = archive(top__file="mirrored\n")
    mirror = site.put("/second/m.tar.gz", serve(data)).removesuffix("m.tar.gz")
    site.put("/first/m.tar.gz", fail(404))
    bundle = sourced(shop, "https://upstream.invalid/releases/m.tar.gz", data)
    conf = shop.scratch() / "conf"
    shutil.copytree(shop.work_dir / "conf", conf)
    with (conf / "config.toml").open("a") as file:
        rules = f'["{site.url}/first/", "{mirror}"]'
        file.write(f'\n[mirrors]\n"https://upstream.invalid/releases/" = {rules}\n')
    record = shop.build(bundle, branch, LAPSTRAKE_CONFIG=str(conf))
    assert "\nmirrored\n" in shop.log(record)


def test_wrong_checksum(shop: Shop, branch: str, site: Site) -> None:
    url = site.put("/forged.tar.gz", serve(archive(top__file="forged\n")))
    expected = archive(top__file="content\n")
    failed = shop.build_fails(8, sourced(shop, url, expected), branch)
    assert hashlib.sha256(expected).hexdigest() in failed["stderr"]
    assert len([path for path, _ in site.requests if path == "/forged.tar.gz"]) == 2


def test_unreachable(shop: Shop, branch: str, site: Site) -> None:
    bundle = sourced(shop, site.put("/gone.tar.gz", fail(404)), b"x" * 5000)
    failed = shop.build_fails(7, bundle, branch)
    assert "gone.tar.gz" in failed["stderr"]
    assert not shop.output(branch).exists()


def test_hostile_archive(shop: Shop, branch: str, site: Site) -> None:
    data = archive(**{"..__..__escaped": "gotcha"})
    failed = shop.build_fails(9, sourced(shop, site.put("/bad.tar.gz", serve(data)), data), branch)
    assert "escaped" in failed["error"]
