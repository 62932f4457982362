"""What an archive is, told by its first bytes: suffixes of real sources lie or are missing."""

from __future__ import annotations

from enum import StrEnum

SNIFF_BYTES = 1024
"""How many first bytes `compression` and `container` want to see (fewer when there are fewer)."""


class Compression(StrEnum):
    """How a stream of bytes is compressed."""

    NONE = "none"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    LZMA = "lzma"
    LZIP = "lzip"
    ZSTD = "zstd"


class Container(StrEnum):
    """What holds the files of an (uncompressed) archive."""

    TAR = "tar"  # a gem is one, too
    CPIO = "cpio"
    AR = "ar"  # a deb is one
    ZIP = "zip"
    SEVEN_ZIP = "7z"
    NONE = "none"


_COMPRESSIONS = (
    (b"\x1f\x8b", Compression.GZIP),
    (b"BZh", Compression.BZIP2),
    (b"\xfd7zXZ\x00", Compression.XZ),
    (b"LZIP", Compression.LZIP),
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
    (b"\x5d\x00\x00", Compression.LZMA),
)

_CONTAINERS = (
    (b"PK\x03\x04", Container.ZIP),
    (b"PK\x05\x06", Container.ZIP),  # an empty one
    (b"7z\xbc\xaf\x27\x1c", Container.SEVEN_ZIP),
    (b"!<arch>\n", Container.AR),
    (b"070701", Container.CPIO),
    (b"070702", Container.CPIO),
    (b"070707", Container.CPIO),
)

_BLOCK = 512
_CHECKSUM_FIELD = slice(148, 156)


def compression(head: bytes) -> Compression:
    """Tell how a stream is compressed by its first bytes."""
    for magic, kind in _COMPRESSIONS:
        if head.startswith(magic):
            return kind
    if head[:4] in {bytes([low, 0x2A, 0x4D, 0x18]) for low in range(0x50, 0x60)}:
        return Compression.ZSTD  # a skippable frame first, as pzstd writes (RFC 8878, 3.1.2)
    return Compression.NONE


def container(head: bytes) -> Container:
    """Tell what an uncompressed archive is by its first bytes."""
    for magic, kind in _CONTAINERS:
        if head.startswith(magic):
            return kind
    return Container.TAR if _is_tar(head) else Container.NONE


def _is_tar(head: bytes) -> bool:
    """Whether a tar header comes first: its checksum tells, also for pre-POSIX ones."""
    block = head[:_BLOCK]
    if len(block) < _BLOCK:
        return False
    if not any(block):
        return True  # an archive without entries
    try:
        said = int(block[_CHECKSUM_FIELD].strip(b" \x00") or b"x", 8)
    except ValueError:
        return False
    field = block[_CHECKSUM_FIELD]
    # Some old writers summed signed bytes; tarfile takes both, and so do we.
    unsigned = sum(block) - sum(field) + 8 * 0x20
    signed = unsigned - 256 * (sum(b > 127 for b in block) - sum(b > 127 for b in field))
    return said in (unsigned, signed)
