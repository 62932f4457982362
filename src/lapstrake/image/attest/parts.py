"""What an image consists of, as bills of material and provenance tell it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from packageurl import PackageURL

from lapstrake.compose.status import STATUS, Stanza, parse_status
from lapstrake.errors import UnpackError
from lapstrake.host.confined import read_confined
from lapstrake.image.attest.licenses import debian_licenses
from lapstrake.image.sources.base import Closure, Member

_OS_RELEASE = "usr/lib/os-release"
_LIMIT = 64 << 20
_NIX_VERSION = re.compile(r"-(?=\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The distribution, by its os-release(5); empty texts when the image has none."""

    id: str = ""
    version: str = ""
    codename: str = ""

    @property
    def distro(self) -> str:
        """What package URLs call it: ``debian-12``."""
        release = self.version or self.codename
        return f"{self.id}-{release}" if self.id and release else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One package of an image.

    Attributes:
        key: its name in the closure; packages of the base OS have their own name.
        name: its name.
        version: its version.
        purl: its package URL.
        arch: its architecture.
        source: the source package.
        source_version: that one's version.
        source_purl: the source package's URL.
        sha256: hexadecimal digits, of the package file (of the NAR with Nix).
        file: the name of the package file.
        license: an SPDX expression; empty when it is not known.
        homepage: where its project lives.
        supplier: who maintains the package, as it says.
        build: the record of the build that made it, if it was made here.
        needs: keys of the parts that it needs at run time.
    """

    key: str
    name: str
    version: str = ""
    purl: str = ""
    arch: str = ""
    source: str = ""
    source_version: str = ""
    source_purl: str = ""
    sha256: str = ""
    file: str = ""
    license: str = ""
    homepage: str = ""
    supplier: str = ""
    build: str = ""
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All packages of an image, by key, and the distribution."""

    parts: tuple[Part, ...]
    system: System = field(default_factory=System)


def parts_of(closure: Closure) -> Parts:
    """List a closure's packages, those of the base OS below it among them."""
    system, stanzas = _system(closure), _stanzas(closure)
    parts = [
        *(_member_part(closure, key, system) for key in closure.members),
        *(_carried_part(facts, system) for facts in closure.carried.values()),
    ]
    known = {part.key for part in parts}
    finished = {part.key: _finish(part, stanzas.get(part.name), known) for part in parts}
    return Parts(parts=tuple(finished[key] for key in sorted(finished)), system=system)


def _member_part(closure: Closure, key: str, system: System) -> Part:
    member = closure.members[key]
    part = _nix(key, member) if key.startswith("/nix/store/") else _debian(key, member, system)
    needs = {*closure.graph.nodes[key].references, *part.needs} - {key}
    return replace(part, needs=tuple(needs))


def _carried_part(facts: Mapping[str, str], system: System) -> Part:
    return _debian_part(facts["name"], facts, system)


def _finish(part: Part, stanza: Stanza | None, known: Set[str]) -> Part:
    """Add what dpkg's list says; leave out needs that are no parts."""
    return replace(
        part,
        homepage=part.homepage or (stanza["homepage"] if stanza else ""),
        supplier=stanza["maintainer"] if stanza else "",
        needs=tuple(sorted(known & set(part.needs))),
    )


def _debian(key: str, member: Member, system: System) -> Part:
    part = _debian_part(member.facts.get("name", key), member.facts, system)
    return replace(
        part,
        key=key,
        file=f"{member.id.replace(':', '%3a')}.deb",
        license=member.facts.get("license") or _license(member.tree, part.name),
    )


def _debian_part(name: str, facts: Mapping[str, str], system: System) -> Part:
    version = facts.get("version", "")
    source = facts.get("source") or name
    source_version = facts.get("source_version") or version
    vendor = system.id or "debian"
    distro = {"distro": system.distro} if system.distro else {}
    arch = facts.get("arch", "")
    url = PackageURL("deb", vendor, name, version, qualifiers={"arch": arch, **distro})
    origin = PackageURL(
        "deb", vendor, source, source_version, qualifiers={"arch": "source", **distro}
    )
    return Part(
        key=name,
        name=name,
        version=version,
        arch=arch,
        purl=facts.get("purl") or url.to_string(),
        source=source,
        source_version=source_version,
        source_purl=origin.to_string(),
        sha256=facts.get("sha256", ""),
        build=facts.get("build", ""),
        needs=tuple(facts.get("needs", "").split()),
    )


def _nix(key: str, member: Member) -> Part:
    words = _NIX_VERSION.split(member.id, maxsplit=1)
    name = member.facts.get("name", words[0])
    version = member.facts.get("version", words[1] if len(words) > 1 else "")
    url = PackageURL("nix", None, name, version or None)
    return Part(
        key=key,
        name=name,
        version=version,
        purl=member.facts.get("purl") or url.to_string(),
        sha256=_hexadecimal(member.facts.get("nar_hash", "")),
        license=member.facts.get("license", ""),
        homepage=member.facts.get("homepage", ""),
    )


def _hexadecimal(nar_hash: str) -> str:
    """``sha256-`` and Base64 (nix since 2.4) as hexadecimal digits; empty for other kinds."""
    algorithm, _, text = nar_hash.partition("-")
    return base64.b64decode(text).hex() if algorithm == "sha256" else ""


def _stanzas(closure: Closure) -> Mapping[str, Stanza]:
    """What dpkg's list of the image says is installed, by name; nothing without dpkg."""
    trees = [*reversed(closure.top), *(tree for _, tree in reversed(closure.below))]
    text = _first_text(trees, STATUS)
    return {each.name: each for each in parse_status(text) if each.state == "installed"}


def _system(closure: Closure) -> System:
    trees = [
        *reversed(closure.top),
        *(member.tree for member in closure.members.values()),
        *(tree for _, tree in reversed(closure.below)),
    ]
    facts = _release_facts(_first_text(trees, _OS_RELEASE))
    return System(
        id=facts.get("ID", ""),
        version=facts.get("VERSION_ID", ""),
        codename=facts.get("VERSION_CODENAME", ""),
    )


def _release_facts(text: str) -> Mapping[str, str]:
    lines = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value.strip().strip("\"'") for name, _, value in lines}


def _license(tree: Path, name: str) -> str:
    return debian_licenses(_text(tree, f"usr/share/doc/{name}/copyright"))


def _first_text(trees: Iterable[Path], path: str) -> str:
    """The file of the first tree that has it."""
    return next(filter(None, (_text(tree, path) for tree in trees)), "")


def _text(tree: Path, path: str) -> str:
    """A file's text; empty when there is none, or a link stands there, or it is not ours to read.

    No link is followed: a package's tree could lead anywhere.
    """
    try:
        data = read_confined(tree, path, limit=_LIMIT)
    except (UnpackError, OSError):
        return ""
    return (data or b"").decode("utf-8", "replace")
