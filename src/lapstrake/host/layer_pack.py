"""Pack layers of images: tar them, compress them, and hash both; a program of its own.

`lapstrake.host.owned.run_module` starts it as the owner of the trees, with a file of JSON::

    {"result": FILE, "layers": [{"places": [[TREE, TARGET] ...], "target": FILE,
     "left_out": PATTERN, "latest": SECONDS or null, "plain": BOOL, "compression": "gzip"} ...]}

It writes a list of ``{"digest", "size", "diff_id", "plain_size", "newest"}`` to the result file.

gzip (RFC 1952) is libdeflate's, in members of a mebibyte: unlike those of ISA-L and zlib-ng, its
bytes do not depend on the processor (tried on several), and unlike zlib's, they do not depend on
which zlib a system has. It is also more than twice as fast as zlib.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from lapstrake.formats.zstd import zstd_module
from lapstrake.host.layer_tar import (
    END,
    Place,
    newest,
    pattern,
    read_places,
    refuse_holes,
    write_entries,
)

_PIECE = 1 << 20
_GZIP_LEVEL = 1
_ZSTD_LEVEL = 3


class Packer:
    """A sink that compresses what it is given, and hashes it before and after.

    Args:
        file: takes the compressed bytes.
        compression: ``gzip`` or ``zstd``.
    """

    def __init__(self, file: BinaryIO, compression: str) -> None:
        self.plain, self.packed = hashlib.sha256(), hashlib.sha256()
        self.plain_size = self.size = 0
        self._file = file
        self._parts: list[bytes | memoryview] = []
        self._waiting = 0
        self._pack, self._last = _CODECS[compression]()

    def write(self, data: bytes) -> None:
        """Take some more."""
        self._parts.append(data)
        self._waiting += len(data)
        if self._waiting >= _PIECE:
            self._pack_pieces()

    def finish(self) -> None:
        """Write what is left."""
        self._pack_pieces()
        for rest in self._parts:
            self._pack_piece(rest)
        self._put(self._last())

    def _pack_pieces(self) -> None:
        """Pack whole pieces; the bytes of large files are copied once, here."""
        data = memoryview(b"".join(self._parts))
        whole = len(data) - len(data) % _PIECE
        for start in range(0, whole, _PIECE):
            self._pack_piece(data[start : start + _PIECE])
        self._parts = [data[whole:]] if len(data) > whole else []
        self._waiting = len(data) - whole

    def _pack_piece(self, piece: bytes | memoryview) -> None:
        self.plain.update(piece)
        self.plain_size += len(piece)
        self._put(self._pack(piece))

    def _put(self, data: bytes | bytearray) -> None:
        self.packed.update(data)
        self.size += len(data)
        self._file.write(data)


_Pack = Callable[[bytes | memoryview], bytes | bytearray]


def _gzip() -> tuple[_Pack, Callable[[], bytes]]:
    import deflate

    return lambda piece: deflate.gzip_compress(piece, _GZIP_LEVEL), lambda: b""


def _zstd() -> tuple[_Pack, Callable[[], bytes]]:
    compressor = zstd_module().ZstdCompressor(_ZSTD_LEVEL)
    return compressor.compress, compressor.flush


_CODECS = {"gzip": _gzip, "zstd": _zstd}


def pack_layer(job: dict[str, Any]) -> dict[str, Any]:
    """Pack one layer; see the module's description."""
    places = [Place(*place) for place in job["places"]]
    entries = read_places(places, pattern(job["left_out"]))
    refuse_holes(entries)
    made = newest(entries)
    latest = made if job["latest"] is None else job["latest"]
    with Path(job["target"]).open("wb") as file:
        packer = Packer(file, job["compression"])
        write_entries(packer, entries, latest=latest, plain=job["plain"])
        packer.write(END)
        packer.finish()
    return {
        "digest": packer.packed.hexdigest(),
        "size": packer.size,
        "diff_id": packer.plain.hexdigest(),
        "plain_size": packer.plain_size,
        "newest": made,
    }


def main(file: str) -> None:
    """Do what a file of JSON says."""
    job = json.loads(Path(file).read_bytes())
    done = [pack_layer(layer) for layer in job["layers"]]
    Path(job["result"]).write_text(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1])
