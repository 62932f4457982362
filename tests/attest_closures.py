"""Closures made by hand, with the trees that documents are made from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lapstrake.grouping.base import Graph, Node
from lapstrake.image.base import Image, ImageRequest
from lapstrake.image.sources.base import Closure, Member
from lapstrake.names import CacheKey, Digest
from lapstrake.oci.descriptors import Descriptor

OS_RELEASE = 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
STATUS = """Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Multi-Arch: same
Source: glibc
Version: 2.36-9
Homepage: https://example.org/libc
Description: library

Package: bash
Status: install ok installed
Maintainer: A Person <person@example.org>
Architecture: amd64
Version: 5.2-2
Description: shell

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: somebody
License: LGPL-2.1+

Files: debian/*
License: GPL-3+ or Expat, and BSL-mine
 A text.
"""


def descriptor(text: str) -> Descriptor:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Descriptor(
        media_type="application/vnd.oci.image.manifest.v1+json",
        digest=Digest("sha256", digest),
        size=len(text),
    )


def image(*packages: str, docker: bool = True) -> Image:
    return Image(
        key=CacheKey("a" * 64),
        request=ImageRequest(packages=packages, labels={"a": "b"}),
        config=descriptor("config"),
        layers=(),
        oci=descriptor("oci"),
        docker=descriptor("docker") if docker else None,
    )


def debian_closure(folder: Path, *, below: bool = False) -> Closure:
    """``bash`` needs ``libc6``; with a base OS, only ``bash`` is added to it."""
    base, bash, libc = folder / "base", folder / "bash", folder / "libc"
    _write(base / "usr/lib/os-release", OS_RELEASE)
    _write(base / "var/lib/dpkg/status", STATUS)
    _write(libc / "usr/share/doc/libc6/copyright", COPYRIGHT)
    _write(bash / "usr/share/doc/bash/copyright", "It is free.\n")
    facts = {
        "build": "20260101-bash",
        "version": "5.2-2",
        "arch": "amd64",
        "sha256": "b" * 64,
        "needs": "libc6",
    }
    members = {"bash": Member(id="bash_5.2-2_amd64", content="b", tree=bash, facts=facts)}
    if not below:
        library = {"version": "2.36-9", "arch": "amd64", "source": "glibc", "sha256": "c" * 64}
        members["libc6"] = Member(
            id="libc6_2.36-9_amd64", content="c", tree=libc,
            facts={**library, "source_version": "2.36-9"},
        )  # fmt: skip
    carried = {"libc6_2.36-9_amd64": {"name": "libc6", "version": "2.36-9", "source": "glibc"}}
    nodes = {
        "bash": Node(name="bash", references=("bash",) if below else ("bash", "libc6")),
        "libc6": Node(name="libc6", references=()),
    }
    return Closure(
        graph=Graph(nodes={name: nodes[name] for name in members}, roots=("bash",)),
        members=members,
        below=(("layer base", base),) if below else (),
        carried=carried if below else {},
        top=() if below else (base,),
        created=1_700_000_000,
        sources={"branch": "stable", "releases": {"file:/InRelease": "d" * 64}},
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
