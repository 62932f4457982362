"""The tarball of a base OS: a path, a URL, AOSC's BuildKit in the work folder, or the newest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lapstrake.branch.workplace import Workplace
from lapstrake.config.model import BaseConfig
from lapstrake.errors import BaseError, ChecksumError
from lapstrake.names import Digest


def find_tarball(place: Workplace, base: BaseConfig, scratch: Path) -> tuple[Path, Digest]:
    """Find the tarball that the configuration means, and its checksum.

    ``work_dir/buildkit_ARCH.tar.xz`` is taken if nothing is named and it lies there (as in aoinb);
    else the newest BuildKit of the configured address.

    Raises:
        BaseError: there is none.
        ChecksumError: it is not what the configured checksum says.
    """
    local = place.config.work_dir / f"buildkit_{place.config.arch}.tar.xz"
    if base.url:
        archive = _local(base.url)
    elif local.is_file():
        archive = local
    else:
        raise BaseError(
            f"no tarball to load: {local} is not there",
            resolution="Give one: `lapstrake load-baseos FILE-OR-URL`.",
        )
    return archive, _verified(archive, base.checksum)


def _local(url: str) -> Path:
    path = Path(url.removeprefix("file://"))
    if not path.is_file():
        raise BaseError(f"{path} does not exist")
    return path


def _verified(archive: Path, wanted: Digest | None) -> Digest:
    """Hash a file, and compare when a checksum is known."""
    algorithm = wanted.algorithm if wanted else "sha256"
    with archive.open("rb") as file:
        actual = Digest(algorithm, hashlib.file_digest(file, algorithm).hexdigest())
    if wanted is not None and actual != wanted:
        raise ChecksumError(
            f"{archive} is not what [base] checksum says",
            details=f"expected {wanted}\n  actual {actual}",
            resolution="Get the file again, or correct the checksum.",
        )
    return actual
