"""The dynamic linker's cache of a root, cut down to the libraries that an image has; pure.

The format is glibc's own (elf/dl-cache.h, ``struct cache_file_new``, since 2.2; Debian has written
nothing else since bookworm). ldconfig would do as well, but needs a mount of the finished root, and
an emulator where that is for another machine.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("20s2IB3xI12x")  # magic, entries, bytes of texts, flags, extensions
_ENTRY = struct.Struct("iIIIQ")  # flags, offset of the name, of the path, OS version, hwcap
_LONGEST_TEXT = 4096  # PATH_MAX
_MOST_TEXT = 4
"""Times the file's size: entries may share their texts, so a small file could hold huge ones."""


def filter_cache(data: bytes, exists: Callable[[str], bool]) -> bytes | None:
    """Leave out the entries of libraries that are not there; the others keep their order.

    Args:
        data: the file ``/etc/ld.so.cache``; integers have this machine's order of bytes.
        exists: says whether a path, with its slash in front, is there.

    Returns:
        the new file; ``None`` when this one is not understood: the linker searches its folders
        then, which is slower and finds the same.
    """
    try:
        magic, count, _, flags, _ = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            return None
        rows = [
            _ENTRY.unpack_from(data, _HEADER.size + number * _ENTRY.size) for number in range(count)
        ]
        texts, room = [], _MOST_TEXT * len(data)
        for _, name, path, _, _ in rows:
            texts.append((_text(data, name), _text(data, path)))
            room -= sum(map(len, texts[-1]))
            if room < 0:
                return None
    except (struct.error, ValueError):
        return None
    kept = [
        (row, text)
        for row, text in zip(rows, texts, strict=True)
        if exists(text[1].decode("utf-8", "surrogateescape"))
    ]
    return _written(flags, kept)


def _text(data: bytes, offset: int) -> bytes:
    return data[offset : data.index(b"\0", offset, offset + _LONGEST_TEXT)]


def _written(flags: int, kept: list[tuple[tuple[int, ...], tuple[bytes, bytes]]]) -> bytes:
    """A file of these entries, without the extensions that nothing needs."""
    begin = _HEADER.size + len(kept) * _ENTRY.size
    strings, entries = bytearray(), bytearray()
    places: dict[bytes, int] = {}
    for (kind, _, _, version, hwcap), texts in kept:
        for text in texts:
            if text not in places:
                places[text] = begin + len(strings)
                strings += text + b"\0"
        entries += _ENTRY.pack(kind, places[texts[0]], places[texts[1]], version, hwcap)
    return _HEADER.pack(_MAGIC, len(kept), len(strings), flags, 0) + bytes(entries + strings)
