"""Artifacts: ``[artifacts]``."""

# ruff: noqa: RUF009 - setting() gives dataclass fields

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lapstrake.config.kinds import DURATION, FLAG, PATH, SIZE, TEXT, TEXTS, above_zero, whole_number
from lapstrake.config.setting import setting

_GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactsConfig:
    """``[artifacts]``: systems, toolchains and tools that are fetched, or built here."""

    folder: Path | None = setting(
        PATH,
        "where artifacts are kept, unpacked",
        default=None,
        variables=("NERVES_ARTIFACTS_DIR",),
    )
    budget: int = setting(
        SIZE, "room for artifacts when `artifact prune` is asked for none", default=50 * _GIB
    )
    timeout: float = setting(
        above_zero(DURATION), "the most time without a byte of a site", default=60.0
    )
    retries: int = setting(whole_number(least=0), "more attempts at a site", default=3)
    branch: str = setting(TEXT, "the branch whose root builds artifacts", default="stable")
    images: str = setting(
        TEXT,
        "where the images of platforms are: what docker builds in when a package names no image",
        default="ghcr.io/nerves-project",
    )
    trusted: tuple[str, ...] = setting(
        TEXTS,
        "servers that may see tokens and variables though only a fetched package names them",
        default=(),
    )
    offline: bool = setting(FLAG, "ask no site", default=False)
