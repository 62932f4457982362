"""Checksums of bytes: which algorithms there are, and hashing a stream once for several of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

from lapstrake.errors import BundleError
from lapstrake.names import Digest

if TYPE_CHECKING:
    from hashlib import _Hash

ALGORITHMS = (
    "sha256", "sha512", "sha384", "sha224", "sha3_256", "sha3_384", "sha3_512",
    "blake2b", "blake2s", "sha1", "md5",
)  # fmt: skip
"""What a bundle may pin a source with, as hashlib names them. SHA-1 and MD5 only recognise old
pins; whirlpool, which one bundle of AOSC's tree uses, is not in OpenSSL 3."""

PIECE = 1 << 18
"""Bytes read at a time: large enough that hashing, not Python, takes the time."""

_HEX = re.compile(r"[0-9a-f]+\Z")


def parse_digest(text: str, *, origin: str = "") -> Digest:
    """Read ``ALGORITHM:HEX``, also with AOSC's two colons, any case.

    Args:
        text: the checksum.
        origin: where it stands, for messages: ``spec:4``.

    Raises:
        BundleError: malformed, an unknown algorithm, or not as many digits as the algorithm has.
    """
    where = f"{origin}: " if origin else ""
    algorithm, colon, digits = text.partition(":")
    algorithm, digits = algorithm.strip().lower(), digits.removeprefix(":").strip().lower()
    if not colon:
        raise BundleError(
            f"{where}{text!r} is not a checksum",
            resolution="Write ALGORITHM::HEX, for example sha256::0123...",
        )
    if algorithm not in ALGORITHMS:
        raise BundleError(
            f"{where}the checksum algorithm {algorithm!r} is unknown",
            resolution=f"Use one of: {', '.join(ALGORITHMS)}.",
        )
    wanted = hashlib.new(algorithm, usedforsecurity=False).digest_size * 2
    if len(digits) != wanted or not _HEX.match(digits):
        raise BundleError(
            f"{where}{digits!r} is not a {algorithm} checksum ({wanted} hexadecimal digits)"
        )
    return Digest(algorithm, digits)


class Hasher:
    """Hashes bytes with several algorithms in one pass.

    Raises:
        BundleError: an algorithm is not one of `ALGORITHMS`.
    """

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._hashes: dict[str, _Hash] = {}
        for algorithm in algorithms:
            if algorithm not in ALGORITHMS:
                raise BundleError(
                    f"the checksum algorithm {algorithm!r} is unknown",
                    resolution=f"Use one of: {', '.join(ALGORITHMS)}.",
                )
            self._hashes[algorithm] = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        """Take in the next bytes."""
        for running in self._hashes.values():
            running.update(piece)

    def digest(self, algorithm: str) -> Digest:
        """The digest of all bytes so far."""
        return Digest(algorithm, self._hashes[algorithm].hexdigest())


def hash_stream(stream: BinaryIO, algorithms: Iterable[str]) -> Hasher:
    """Hash a stream from where it stands to its end."""
    hasher = Hasher(algorithms)
    while piece := stream.read(PIECE):
        hasher.update(piece)
    return hasher
