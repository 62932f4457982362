"""What an image consists of, as bills of material and provenance tell it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from packageurl import PackageURL

from lapstrake.compose.status import STATUS, Stanza, parse_status
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
    system = _system(closure)
    stanzas = _stanzas(closure)
    members = [_part(closure, key, system, stanzas) for key in closure.members]
    known = {part.name for part in members}
    below = (_stanza_part(each, system) for each in stanzas.values()) if closure.below else ()
    parts = {part.key: part for part in (*members, *(p for p in below if p.name not in known))}
    return Parts(parts=tuple(parts[key] for key in sorted(parts)), system=system)


def _part(closure: Closure, key: str, system: System, stanzas: Mapping[str, Stanza]) -> Part:
    member, node = closure.members[key], closure.graph.nodes[key]
    facts = member.facts
    needs = sorted({name for name in node.references if name != key and name in closure.members})
    if key.startswith("/nix/store/"):
        part = _nix(key, member)
    else:
        part = _debian(key, member, system, stanzas.get(facts.get("name", key)))
    return replace(
        part,
        purl=facts.get("purl") or part.purl,
        homepage=facts.get("homepage") or part.homepage,
        build=facts.get("build", ""),
        needs=tuple(needs),
    )


def _debian(key: str, member: Member, system: System, stanza: Stanza | None) -> Part:
    facts = member.facts
    name, version = facts.get("name", key), facts.get("version", "")
    part = _debian_part(
        name, version, facts.get("arch", ""), system,
        source=facts.get("source", ""), source_version=facts.get("source_version", ""),
    )  # fmt: skip
    return replace(
        part,
        key=key,
        sha256=facts.get("sha256", ""),
        file=f"{member.id.replace(':', '%3a')}.deb",
        license=facts.get("license") or _license(member.tree, name),
        homepage=stanza["homepage"] if stanza else "",
        supplier=stanza["maintainer"] if stanza else "",
    )


def _debian_part(
    name: str, version: str, arch: str, system: System, *, source: str, source_version: str
) -> Part:
    vendor = system.id or "debian"
    distro = {"distro": system.distro} if system.distro else {}
    source, source_version = source or name, source_version or version
    url = PackageURL("deb", vendor, name, version, qualifiers={"arch": arch, **distro})
    origin = PackageURL(
        "deb", vendor, source, source_version, qualifiers={"arch": "source", **distro}
    )
    return Part(
        key=name, name=name, version=version, arch=arch, purl=url.to_string(), source=source,
        source_version=source_version, source_purl=origin.to_string(),
    )  # fmt: skip


def _nix(key: str, member: Member) -> Part:
    words = _NIX_VERSION.split(member.id, maxsplit=1)
    name = member.facts.get("name", words[0])
    version = member.facts.get("version", words[1] if len(words) > 1 else "")
    url = PackageURL("nix", None, name, version or None)
    return Part(
        key=key, name=name, version=version, purl=url.to_string(),
        sha256=_hexadecimal(member.facts.get("nar_hash", "")),
        license=member.facts.get("license", ""),
    )  # fmt: skip


def _hexadecimal(nar_hash: str) -> str:
    """``sha256-`` and Base64 (nix since 2.4) as hexadecimal digits; empty for other kinds."""
    algorithm, _, text = nar_hash.partition("-")
    return base64.b64decode(text).hex() if algorithm == "sha256" else ""


def _stanzas(closure: Closure) -> Mapping[str, Stanza]:
    """What dpkg's list of the image says is installed, by name; nothing without dpkg."""
    trees = [*reversed(closure.top), *(tree for _, tree in reversed(closure.below))]
    text = next((_text(tree, STATUS) for tree in _having(trees, STATUS)), "")
    return {each.name: each for each in parse_status(text) if each.state == "installed"}


def _stanza_part(stanza: Stanza, system: System) -> Part:
    source, source_version = stanza.source
    part = _debian_part(
        stanza.name, stanza["version"], stanza["architecture"], system,
        source=source, source_version=source_version,
    )  # fmt: skip
    return replace(part, homepage=stanza["homepage"], supplier=stanza["maintainer"])


def _system(closure: Closure) -> System:
    trees = [
        *reversed(closure.top),
        *(member.tree for member in closure.members.values()),
        *(tree for _, tree in reversed(closure.below)),
    ]
    for tree in _having(trees, _OS_RELEASE):
        facts = _release_facts(_text(tree, _OS_RELEASE))
        return System(
            id=facts.get("ID", ""),
            version=facts.get("VERSION_ID", ""),
            codename=facts.get("VERSION_CODENAME", ""),
        )
    return System()


def _release_facts(text: str) -> Mapping[str, str]:
    lines = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value.strip().strip("\"'") for name, _, value in lines}


def _license(tree: Path, name: str) -> str:
    path = f"usr/share/doc/{name}/copyright"
    return next((debian_licenses(_text(each, path)) for each in _having([tree], path)), "")


def _having(trees: Iterable[Path], path: str) -> Iterator[Path]:
    """The trees with a regular file at a path; what is not ours to read is passed over."""
    for tree in trees:
        file = tree / path
        try:
            if file.is_file() and not file.is_symlink():
                yield tree
        except PermissionError:
            continue


def _text(tree: Path, path: str) -> str:
    data = read_confined(tree, path, limit=_LIMIT)
    return (data or b"").decode("utf-8", "replace")
