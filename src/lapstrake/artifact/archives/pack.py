"""A folder as an archive of artifacts, the same bytes whenever and wherever it is packed.

Names are sorted, everything belongs to root, times are clamped, and neither extended attributes nor
rights beyond 0755 are kept; the file CHECKSUM at the top is left out, so an artifact that is kept
packs to the same bytes as the build. gzip is libdeflate's, in members of a mebibyte (see
`lapstrake.host.layer_pack`), xz is xz's own with blocks of one size: neither depends on the
processor, nor on how many there are.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lapstrake.artifact.identity import CHECKSUM
from lapstrake.errors import ArtifactError
from lapstrake.formats.zstd import zstd_module
from lapstrake.host import files
from lapstrake.host.layer_tar import END, Entry, Sink, write_entries
from lapstrake.host.process import require_program, run

_PIECE = 1 << 20
_GZIP_LEVEL = 6
_ZSTD_LEVEL = 12
_XZ_BLOCK = 16 << 20
_LONGEST = 24 * 3600.0


def pack_archive(folder: Path, target: Path, *, top: str, epoch: int = 0) -> None:
    """Pack a folder; the archive appears when all of it is on the disk.

    Args:
        folder: what becomes the archive's only folder.
        target: the archive; its suffix says how it is compressed: .tar.gz, .tar.xz or .tar.zst.
        top: what the folder is called in it.
        epoch: nothing in it is younger, seconds since 1970.

    Raises:
        ArtifactError: the folder holds sockets, devices or what cannot be read; or the suffix is
            another one; or a program is missing.
        StoreError: the disk is full.
    """
    pack = next((pack for suffix, pack in _PACKERS.items() if target.name.endswith(suffix)), None)
    if pack is None:
        raise ArtifactError(
            f"{target.name}: nothing is packed like this",
            resolution=f"Name it with one of {', '.join(_PACKERS)}.",
        )
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is no folder: there is nothing to pack")
    try:
        pack(target, lambda sink: _write_tar(sink, folder, top, epoch))
    except OSError as failed:
        if failed.errno in files.DISK_FULL:
            raise files.disk_error(failed, doing=f"packing {target}") from failed
        place = failed.filename or folder
        raise ArtifactError(f"packing {target.name}: {place}: {failed.strerror}") from failed


_Write = Callable[[Sink], None]


def _write_tar(sink: Sink, folder: Path, top: str, epoch: int) -> None:
    path = os.fspath(folder)
    entries = (
        Entry(f"{top}{name}", f"{path}{name}", _plain(f"{path}{name}", facts))
        for name, facts in _walk(path, "")
    )
    write_entries(sink, entries, latest=epoch, plain=True, attributes=False)
    sink.write(END)


def _walk(root: str, folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """A folder and all below it, by name: what its name is behind the root's."""
    yield folder, os.lstat(f"{root}{folder}")
    with os.scandir(f"{root}{folder}") as found:
        below = sorted(found, key=lambda entry: entry.name)
    for entry in below:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, f"{folder}/{entry.name}")
        elif folder or entry.name != CHECKSUM:
            yield f"{folder}/{entry.name}", entry.stat(follow_symlinks=False)


def _plain(path: str, facts: os.stat_result) -> os.stat_result:
    """What is kept of a file's facts.

    Raises:
        ArtifactError: it is neither a file nor a folder nor a link.
    """
    mode = facts.st_mode
    if stat.S_IFMT(mode) not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise ArtifactError(
            f"{path} is a device, socket or fifo, which no artifact can hold",
            resolution="Have the platform's steps leave it out.",
        )
    if not stat.S_ISLNK(mode):
        mode = stat.S_IFMT(mode) | mode & 0o755 | (0o700 if stat.S_ISDIR(mode) else 0o600)
    return os.stat_result((mode, *facts[1:]))


def _pack_gzip(target: Path, write: _Write) -> None:
    import deflate

    def pack(piece: bytes) -> bytes:
        return bytes(deflate.gzip_compress(piece, _GZIP_LEVEL))

    with files.open_atomic(target) as file, _pieces(file, pack) as sink:
        write(sink)


def _pack_zstd(target: Path, write: _Write) -> None:
    zstd = zstd_module()
    wanted = zstd.CompressionParameter
    compressor = zstd.ZstdCompressor(
        options={wanted.compression_level: _ZSTD_LEVEL, wanted.checksum_flag: 1}
    )
    with files.open_atomic(target) as file:

        class Compressed:
            def write(self, data: bytes, /) -> None:
                file.write(compressor.compress(data))

        write(Compressed())
        file.write(compressor.flush())


def _pack_xz(target: Path, write: _Write) -> None:
    xz = require_program("xz", package="xz-utils", error=ArtifactError)
    plain = files.temporary_name(target.with_suffix(""))
    packed = plain.with_name(f"{plain.name}.xz")
    # One thread would write another kind of blocks; from two on the bytes are the same.
    words = (f"--threads={max(2, os.cpu_count() or 2)}", f"--block-size={_XZ_BLOCK}", "-6")
    try:
        with plain.open("xb") as file:
            write(file)
        run([xz, *words, "--", plain], timeout=_LONGEST, error=ArtifactError,
            doing=f"packing {target.name}")  # fmt: skip
        files.sync_file(packed)
        packed.replace(target)
        files.sync_folder(target.parent)
    finally:
        plain.unlink(missing_ok=True)
        packed.unlink(missing_ok=True)


_PACKERS: dict[str, Callable[[Path, _Write], None]] = {
    ".tar.gz": _pack_gzip,
    ".tar.xz": _pack_xz,
    ".tar.zst": _pack_zstd,
}


class _Pieces:
    """A sink that compresses pieces of one size in threads, and writes them in their order."""

    def __init__(
        self, file: BinaryIO, pack: Callable[[bytes], bytes], pool: ThreadPoolExecutor
    ) -> None:
        self._file, self._pack, self._pool = file, pack, pool
        self._buffer = bytearray()
        self._waiting: deque[Future[bytes]] = deque()
        self._most = 3 * (os.cpu_count() or 1)

    def write(self, data: bytes, /) -> None:
        self._buffer += data
        while len(self._buffer) >= _PIECE:
            self._submit(bytes(self._buffer[:_PIECE]))
            del self._buffer[:_PIECE]

    def finish(self) -> None:
        if self._buffer:
            self._submit(bytes(self._buffer))
        self._drain(0)

    def _submit(self, piece: bytes) -> None:
        self._waiting.append(self._pool.submit(self._pack, piece))
        self._drain(self._most)

    def _drain(self, most: int) -> None:
        while len(self._waiting) > most:
            self._file.write(self._waiting.popleft().result())


@contextmanager
def _pieces(file: BinaryIO, pack: Callable[[bytes], bytes]) -> Iterator[_Pieces]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sink = _Pieces(file, pack, pool)
        yield sink
        sink.finish()
