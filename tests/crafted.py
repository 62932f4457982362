"""Roots as tarballs and images, made member by member."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CAPABILITY = b"\x01\x00\x00\x02\x00\x20\x00\x00" + bytes(12)
"""security.capability of cap_net_raw=ep (capabilities(7), VFS_CAP_REVISION_2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of a tarball; a folder unless it is something else."""

    name: str
    content: bytes | None = None
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    link: str = ""
    hard: bool = False
    device: tuple[int, int] | None = None
    xattrs: Mapping[str, bytes] = field(default_factory=dict)

    def info(self) -> tarfile.TarInfo:
        made = tarfile.TarInfo(self.name)
        made.mode, made.uid, made.gid, made.mtime = self.mode, self.uid, self.gid, 1_000_000_000
        made.size = len(self.content or b"")
        made.linkname = self.link
        made.type = self._type()
        if self.device is not None:
            made.devmajor, made.devminor = self.device
        made.pax_headers = {
            f"SCHILY.xattr.{name}": value.decode("latin-1") for name, value in self.xattrs.items()
        }
        return made

    def _type(self) -> bytes:
        if self.link:
            return tarfile.LNKTYPE if self.hard else tarfile.SYMTYPE
        if self.device is not None:
            return tarfile.CHRTYPE
        return tarfile.DIRTYPE if self.content is None else tarfile.REGTYPE


ROOT = (
    Member(name="./"),
    Member(name="./usr"),
    Member(name="./usr/bin"),
    Member(name="./etc"),
    Member(name="./var"),
    Member(name="./dev"),
)
"""The least that counts as a root."""


def tar(members: Iterable[Member]) -> bytes:
    """A tarball's bytes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            archive.addfile(member.info(), io.BytesIO(member.content or b""))
    return file.getvalue()


def compressed(data: bytes, kind: str) -> bytes:
    """The bytes, compressed as a suffix says."""
    import bz2
    import lzma

    from backports import zstd

    return {
        "tar": lambda: data,
        "tar.gz": lambda: gzip.compress(data),
        "tar.xz": lambda: lzma.compress(data),
        "tar.bz2": lambda: bz2.compress(data),
        "tar.zst": lambda: zstd.compress(data),
    }[kind]()


class Image:
    """An OCI layout on disk that is written blob by blob."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, kind: str) -> dict[str, Any]:
        digits = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs" / "sha256" / digits).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{digits}", "size": len(data)}

    def manifest(
        self, layers: Iterable[tuple[bytes, str]], *, arch: str = "amd64"
    ) -> dict[str, Any]:
        """A manifest of layers: each a plain tarball's bytes and how to compress it."""
        layers = list(layers)
        sums = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data, _ in layers]
        config = {
            "architecture": arch,
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": sums},
            "config": {},
        }
        media = {"tar": "tar", "tar.gz": "tar+gzip", "tar.zst": "tar+zstd"}
        document = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob(
                json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"
            ),
            "layers": [
                self.blob(
                    compressed(data, kind), f"application/vnd.oci.image.layer.v1.{media[kind]}"
                )
                for data, kind in layers
            ],
        }
        return self.blob(
            json.dumps(document).encode(), "application/vnd.oci.image.manifest.v1+json"
        )

    def index(self, *entries: dict[str, Any]) -> None:
        document = {"schemaVersion": 2, "manifests": list(entries)}
        (self.folder / "index.json").write_text(json.dumps(document))
