"""A base OS from the archive itself: Debian or Ubuntu by mmdebstrap."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lapstrake.baseos.tarball import extract_tar
from lapstrake.config.model import BaseConfig
from lapstrake.errors import BaseError
from lapstrake.formats.sources_list import ListStyle, SourceList
from lapstrake.host.contained import open_scratch, run_contained
from lapstrake.host.process import require_program, tail
from lapstrake.names import Arch
from lapstrake.progress import Progress

_KEPT_BYTES = 1 << 14


def bootstrap(
    target: Path,
    *,
    base: BaseConfig,
    arch: Arch,
    sources: SourceList,
    progress: Progress,
) -> None:
    """Make a root at `target` (which does not exist yet).

    Args:
        target: the folder to make.
        base: suite, variant and extra packages.
        arch: the architecture; a foreign one needs qemu-user and its binfmt entry.
        sources: where to get packages; without entries mmdebstrap's own default holds.
        progress: hears mmdebstrap.

    Raises:
        BaseError: mmdebstrap is missing or failed.
    """
    program = require_program("mmdebstrap", package="mmdebstrap", error=BaseError)
    if not base.suite:
        raise BaseError(
            "no suite to bootstrap: the host does not say its codename",
            resolution='Set it in config.toml: [base] suite = "bookworm".',
        )
    options = [
        f"--variant={base.variant}",
        f"--architectures={arch}",
        *([f"--include={','.join(base.packages)}"] if base.packages else []),
    ]
    with open_scratch("base") as scratch:
        words = [*options, "--", base.suite]  # a suite of the farm's server is no option
        listed = _list_file(scratch, sources)
        if os.geteuid() == 0:
            words += [str(target), *listed]
            _run([program, "--mode=root", "--format=directory", *words], scratch, progress)
            return
        archive = scratch / "base.tar"
        words += [str(archive), *listed]
        _run([program, "--mode=unshare", *words], scratch, progress)
        extract_tar(archive, target)


def _list_file(folder: Path, sources: SourceList) -> list[str]:
    """The list as a file that mmdebstrap takes; none when there is nothing in it."""
    if not sources.entries:
        return []
    suffix = "sources" if sources.style is ListStyle.DEB822 else "list"
    file = folder / f"sources.{suffix}"
    file.write_text(sources.text)
    return [str(file)]


def _run(argv: Sequence[str | Path], scratch: Path, progress: Progress) -> None:
    """Run mmdebstrap, keeping its last lines for the error."""
    said = bytearray()

    def listen(data: bytes) -> None:
        said.extend(data)
        del said[:-_KEPT_BYTES]
        progress.output(data)

    status = run_contained(argv, scratch=scratch, on_output=listen)
    if status != 0:
        raise BaseError(
            f"mmdebstrap ended with status {status}",
            details=tail(bytes(said)),
            resolution="Check the suite and the source list of the base; the old base is kept.",
        )
