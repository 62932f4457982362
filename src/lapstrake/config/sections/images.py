"""Images and who serves them: ``[images]``, ``[nix]``, ``[registry]``."""

# ruff: noqa: RUF009 - setting() gives dataclass fields

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lapstrake.config.kinds import (
    ARCH,
    DURATION,
    FLAG,
    PATH,
    TEXT,
    TEXTS,
    above_zero,
    choice,
    many,
    whole_number,
)
from lapstrake.config.setting import setting
from lapstrake.names import Arch


class Strategy(StrEnum):
    """How the packages of an image are put into layers."""

    EXPECTED = "expected"
    NIXERY = "nixery"


class Compression(StrEnum):
    """How layers of images are compressed."""

    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesConfig:
    """``[images]``: images made of packages."""

    base: bool = setting(
        FLAG, "put images on the base OS, not only on what they need", default=False
    )
    always: tuple[str, ...] = setting(
        TEXTS,
        "packages that every image has",
        default=("base-files", "netbase", "ca-certificates"),
    )
    platforms: tuple[Arch, ...] = setting(
        many(ARCH), "architectures of an image whose name has none; empty for arch", default=()
    )
    budget: int = setting(whole_number(least=1), "the most layers of an image", default=94)
    strategy: Strategy = setting(
        choice(Strategy), "expected or nixery: how layers are chosen", default=Strategy.EXPECTED
    )
    plan: Path | None = setting(PATH, "the file of the pinned plan for layers", default=None)
    compression: Compression = setting(
        choice(Compression), "gzip or zstd", default=Compression.GZIP
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NixConfig:
    """``[nix]``: Nix as a source of packages; the first one that is set holds."""

    channel: str = setting(TEXT, "a channel, or a revision of 40 digits", default="")
    repository: str = setting(TEXT, "a git repository; an image's tag is the revision", default="")
    path: Path | None = setting(PATH, "a folder with a default.nix", default=None)
    timeout: float = setting(
        above_zero(DURATION), "the most time for the packages of one image", default=3600.0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryConfig:
    """``[registry]``: what serves images."""

    listen: str = setting(TEXT, "the address and port", default="127.0.0.1:5000")
    storage: str = setting(
        TEXT, "where blobs are: empty for work_dir, s3://BUCKET/..., gs://BUCKET/...", default=""
    )
    branch: str = setting(TEXT, "the branch that the tag latest means", default="stable")
    timeout: float = setting(above_zero(DURATION), "the most time a client waits", default=1800.0)
    makers: int = setting(whole_number(least=1), "images made at the same time", default=2)
    htpasswd: Path | None = setting(PATH, "users and their passwords (bcrypt)", default=None)
    token_file: Path | None = setting(PATH, "the file of a token that may do all", default=None)
    tls_certificate: Path | None = setting(PATH, "the certificate, for https", default=None)
    tls_key: Path | None = setting(PATH, "the certificate's key", default=None)
    namespaces: tuple[str, ...] = setting(
        TEXTS, "first parts of names to push to; no image is made there", default=("push", "local")
    )
    read_only: bool = setting(FLAG, "refuse pushes and deletions", default=False)
    anonymous_pull: bool = setting(FLAG, "whoever comes may pull", default=False)
    redirect: bool = setting(
        FLAG, "send clients to the storage's own addresses, where it has some", default=True
    )
    workers: int = setting(whole_number(least=1), "processes that answer", default=1)
