"""AOSC's BuildKits: where they are listed, and which is the newest. Pure: texts in, values out."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from lapstrake.errors import BaseError
from lapstrake.names import Arch, Digest

_ALIASES = {
    Arch.LOONG64: "loongarch64",
    Arch.MIPS64EL: "loongson3",
    Arch.ARMHF: "armv7hf",
    Arch.I386: "i486",
}
"""AOSC's names of machines, where they are not Debian's."""

_SUFFIXES = (".tar.xz", ".tar.zst", ".tar.gz", ".tar", ".squashfs")
_DATE = re.compile(r"\d{8}")
_SHA256 = re.compile(r"\b[0-9a-fA-F]{64}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tarball:
    """A listed tarball.

    Attributes:
        url: where it is.
        digest: its checksum, where the list tells it.
        arch: what the list calls its architecture; empty when only the name tells.
        date: ``YYYYMMDD``, as far as it is known.
    """

    url: str
    digest: Digest | None = None
    arch: str = ""
    date: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return posixpath.basename(unquote(urlsplit(self.url).path))


def newest(tarballs: Iterable[Tarball], arch: Arch) -> Tarball | None:
    """The newest of an architecture."""
    names = {arch.value, _ALIASES.get(arch, arch.value)}
    matching = [
        tarball
        for tarball in tarballs
        if (tarball.arch in names if tarball.arch else names & set(_words(tarball.name)))
    ]
    return max(matching, key=lambda each: (each.date, each.name), default=None)


def read_manifest(text: str, url: str) -> tuple[Tarball, ...]:
    """Read a manifest as AOSC's installer and ciel use it: variants, each with tarballs.

    Paths are relative to the folder that holds ``manifest/``, else to the manifest itself.

    Raises:
        BaseError: it is not such a manifest.
    """
    root = urljoin(url, "..") if urlsplit(url).path.endswith("/manifest/recipe.json") else url
    try:
        document = json.loads(text)
        return tuple(
            Tarball(
                url=urljoin(root, str(row["path"])),
                digest=_digest(str(row.get("sha256sum", ""))),
                arch=str(row.get("arch", "")),
                date=str(row.get("date", "")),
            )
            for variant in document["variants"]
            if str(variant["name"]).lower() == "buildkit"
            for row in variant["tarballs"]
        )
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise BaseError(
            f"{url} is no manifest of BuildKits", details=f"{type(wrong).__name__}: {wrong}"
        ) from wrong


def read_page(text: str, url: str) -> tuple[Tarball, ...]:
    """Read the links of a page, such as a server's list of a folder."""
    found = (Tarball(url=urljoin(url, link)) for link in _links(text))
    return tuple(
        Tarball(url=each.url, date=max(_DATE.findall(each.name), default=""))
        for each in found
        if "buildkit" in each.name.lower() and each.name.endswith(_SUFFIXES)
    )


def read_checksum(text: str, name: str) -> Digest | None:
    """Find a file's SHA-256 in what sha256sum(1) wrote: of this name, or the only one."""
    lines = [line for line in text.splitlines() if _SHA256.search(line)]
    named = [line for line in lines if line.split()[-1].lstrip("*").endswith(name)]
    chosen = named or (lines if len(lines) == 1 else [])
    match = _SHA256.search(chosen[0]) if chosen else None
    return Digest("sha256", match[0].lower()) if match else None


def _words(name: str) -> list[str]:
    return re.split(r"[_.-]", name)


def _digest(text: str) -> Digest | None:
    return Digest("sha256", text.lower()) if _SHA256.fullmatch(text) else None


def _links(text: str) -> Iterator[str]:
    parser = _LinkParser()
    parser.feed(text)
    parser.close()
    yield from parser.links


class _LinkParser(HTMLParser):
    """Collects what a page's links name."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a link's target."""
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value]
