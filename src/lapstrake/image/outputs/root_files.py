"""A root as a file: a tar, compressed or not, or a squashfs image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from typing import BinaryIO, cast

from lapstrake.blobs.base import BlobStore
from lapstrake.errors import ImageError
from lapstrake.formats.zstd import zstd_module
from lapstrake.host.files import sync_file, sync_folder, temporary_name
from lapstrake.host.process import require_program, run
from lapstrake.image.base import Image
from lapstrake.image.outputs.content import read_document
from lapstrake.image.outputs.layers import PIECE
from lapstrake.image.outputs.root import write_root_tar
from lapstrake.image.outputs.target import Target
from lapstrake.image.outputs.writing import judged, new_file
from lapstrake.progress import Progress

_SECONDS = 3 * 3600.0
_LARGEST_TIME = 2**32 - 1  # squashfs has 32 bits
_ZSTD_LEVEL = 9


def write_tar(blobs: BlobStore, image: Image, target: Target, *, progress: Progress) -> None:
    """Write a root as a tar; its name's ending says how it is compressed (.gz, .xz, .zst).

    Raises:
        ImageError: the file cannot be written, or a layer is damaged.
    """
    with new_file(target) as file, _compressed(file, target.path.suffix) as packed:
        write_root_tar(blobs, image, packed, progress=progress)


def write_squashfs(blobs: BlobStore, image: Image, target: Target, *, progress: Progress) -> None:
    """Write a root as a squashfs image; the same image and program give the same bytes.

    Raises:
        ImageError: sqfstar is missing or fails, or a layer is damaged.
    """
    program = require_program("sqfstar", package="squashfs-tools", error=ImageError)
    path = target.path.absolute()
    temporary = temporary_name(path)
    with judged(target):
        try:
            with _fed(lambda pipe: write_root_tar(blobs, image, pipe, progress=progress)) as tar:
                run(
                    [program, "-comp", "zstd", "-root-mode", "755", "-root-uid", "0", "-root-gid",
                     "0", "-quiet", "-no-progress", "-exit-on-error", temporary],
                    timeout=_SECONDS,
                    error=ImageError,
                    doing=f"writing {target.text}",
                    env={"SOURCE_DATE_EPOCH": str(_created(blobs, image))},
                    stdin=tar,
                )  # fmt: skip
            temporary.chmod(0o644)
            sync_file(temporary)
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


def _created(blobs: BlobStore, image: Image) -> int:
    """Seconds since 1970 of the image's making, as it says itself."""
    said = read_document(blobs, image.config.digest).get("created", "")
    return min(max(int(datetime.fromisoformat(said).timestamp()), 0), _LARGEST_TIME) if said else 0


def _compressed(file: BinaryIO, suffix: str) -> AbstractContextManager[BinaryIO]:
    """What compresses into a file; its bytes tell neither the time nor the machine."""
    if suffix == ".gz":
        import gzip

        return cast("BinaryIO", gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0))
    if suffix == ".xz":
        import lzma

        return cast("BinaryIO", lzma.LZMAFile(file, "wb"))
    if suffix in (".zst", ".zstd"):
        zstd = zstd_module()
        option = zstd.CompressionParameter
        # However many workers there are, from one on, the bytes are the same: zstd(1), -T.
        options = {
            option.compression_level: _ZSTD_LEVEL,
            option.checksum_flag: 1,
            option.nb_workers: os.cpu_count() or 1,
        }
        return cast("BinaryIO", zstd.ZstdFile(file, "wb", options=options))
    return nullcontext(file)


@contextmanager
def _fed(write: Callable[[BinaryIO], None]) -> Iterator[int]:
    """A descriptor that gives what a function writes in the meantime.

    Its error is raised at the block's end, whatever came of the reader.
    """
    reader, writer = os.pipe()

    def feed() -> None:
        with suppress(BrokenPipeError), os.fdopen(writer, "wb", PIECE) as pipe:
            write(pipe)

    with ThreadPoolExecutor(1) as pool:
        fed = pool.submit(feed)
        try:
            yield reader
        finally:
            os.close(reader)
            fed.result()
