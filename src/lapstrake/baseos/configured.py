"""Which base OS the configuration means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lapstrake.config.model import BaseConfig, BaseMethod, OriginKind
from lapstrake.place.workplace import Workplace


def configured_base(place: Workplace) -> BaseConfig:
    """What the configuration says to load.

    As in aoinb, a BuildKit is taken where there is one and nothing else is said: the file
    ``work_dir/buildkit_ARCH.tar.xz``, or the address in ``base.buildkit_url``.
    """
    base = place.config.base
    if place.config.origin("base.method").kind is not OriginKind.DEFAULT:
        return base
    if base.url or base.buildkit_url or buildkit_file(place).is_file():
        return replace(base, method=BaseMethod.TARBALL)
    return base


def buildkit_file(place: Workplace) -> Path:
    """Where aoinb's users put a BuildKit."""
    return place.config.work_dir / f"buildkit_{place.config.arch}.tar.xz"
