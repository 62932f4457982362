"""Licences of a Debian package as an SPDX expression (Debian's machine-readable copyright format).

The whole format is read by python-debian, at ten milliseconds for a package; here only the names
are wanted, of all packages of an image. Debian's short names are not SPDX's: those known here are
translated, all others become a ``LicenseRef-`` of their own, and nothing is guessed.
"""

from __future__ import annotations

import re

_FORMAT = re.compile(r"Format(?:-Specification)?:", re.IGNORECASE)
_LICENSE = re.compile(r"^License:[ \t]*(\S.*)$", re.MULTILINE | re.IGNORECASE)
_COMMA = re.compile(r",\s*(and|or)?\b\s*", re.IGNORECASE)
_WORD = re.compile(r"\s+(and|or)\s+", re.IGNORECASE)
_UNSPEAKABLE = re.compile(r"[^A-Za-z0-9.-]+")
_GNU = re.compile(r"(A?GPL|LGPL|GFDL)-([123](?:\.[0-3])?)(\+?)\Z", re.IGNORECASE)
_GNU_VERSIONS = {
    "GPL": {"1", "2", "3"}, "LGPL": {"2", "2.1", "3"}, "AGPL": {"3"},
    "GFDL": {"1.1", "1.2", "1.3"},
}  # fmt: skip

_NAMES = {
    name.lower(): spdx
    for spdx, names in {
        "AFL-2.1": "AFL-2.1",
        "Apache-2.0": "Apache-2.0 Apache-2",
        "Artistic-1.0-Perl": "Artistic-1.0-Perl",
        "Artistic-2.0": "Artistic-2.0 Artistic-2",
        "BSD-2-Clause": "BSD-2-clause",
        "BSD-3-Clause": "BSD-3-clause",
        "BSD-4-Clause": "BSD-4-clause",
        "BSD-4-Clause-UC": "BSD-4-clause-UC",
        "BSL-1.0": "BSL-1.0",
        "CC0-1.0": "CC0-1.0 CC0",
        "CC-BY-3.0": "CC-BY-3.0",
        "CC-BY-4.0": "CC-BY-4.0",
        "CC-BY-SA-3.0": "CC-BY-SA-3.0",
        "CC-BY-SA-4.0": "CC-BY-SA-4.0",
        "EPL-2.0": "EPL-2.0",
        "FSFAP": "FSFAP",
        "FSFUL": "FSFUL",
        "FSFULLR": "FSFULLR",
        "ISC": "ISC",
        "MIT": "Expat MIT",
        "MPL-1.1": "MPL-1.1",
        "MPL-2.0": "MPL-2.0",
        "OFL-1.1": "OFL-1.1",
        "OpenSSL": "OpenSSL",
        "Unicode-DFS-2016": "Unicode-DFS-2016",
        "Unlicense": "Unlicense",
        "Zlib": "Zlib",
        "bzip2-1.0.6": "bzip2-1.0.6",
        "curl": "curl",
    }.items()
    for name in names.split()
}


def debian_licenses(copyright_file: str) -> str:
    r"""Read the licences of a ``copyright`` file; all of them hold for the package's parts.

    Returns:
        an SPDX licence expression; empty when the file is not in the machine-readable format.

    >>> debian_licenses("Format: x\\nFiles: *\\nLicense: GPL-2+ or Expat, and BSD-mine\\n")
    '(GPL-2.0-or-later OR MIT) AND LicenseRef-BSD-mine'
    """
    if not _FORMAT.match(copyright_file.lstrip("\ufeff \n")):
        return ""
    found: set[str] = set()
    for text in _LICENSE.findall(copyright_file):
        found.update(_conjuncts(" ".join(text.split())))  # runs of spaces cost their square
    return _join(sorted(found), "AND")


def license_references(expression: str) -> tuple[str, ...]:
    """The ``LicenseRef-`` names in an expression, sorted."""
    return tuple(sorted(set(re.findall(r"LicenseRef-[A-Za-z0-9.-]+", expression))))


def _conjuncts(text: str) -> list[str]:
    """What all must hold in an expression like ``A or B, and C``; a comma binds weaker."""
    pieces = _COMMA.split(text)
    parts, joints = pieces[::2], [joint or "and" for joint in pieces[1::2]]
    groups = [_group(part) for part in parts if part.strip()]
    if any(joint.lower() == "or" for joint in joints):
        return [_join([_join(group, "AND") for group in groups], "OR")]
    return [term for group in groups for term in group]


def _group(text: str) -> list[str]:
    """Terms that all must hold; ``and`` binds stronger than ``or``."""
    pieces = _WORD.split(text.strip())
    choices: list[list[str]] = [[_name(pieces[0])]]
    for joint, name in zip(pieces[1::2], pieces[2::2], strict=True):
        if joint.lower() == "and":
            choices[-1].append(_name(name))
        else:
            choices.append([_name(name)])
    if len(choices) == 1:
        return choices[0]
    return [_join([_join(choice, "AND") for choice in choices], "OR")]


def _join(terms: list[str], word: str) -> str:
    terms = list(dict.fromkeys(terms))
    if len(terms) == 1:
        return terms[0]
    return f" {word} ".join(f"({term})" if " " in term else term for term in terms)


def _name(text: str) -> str:
    """SPDX's name of a licence, or one of ours."""
    name = text.strip()
    if gnu := _GNU.match(name):
        family, version = gnu[1].upper(), gnu[2].removesuffix(".0")
        if version in _GNU_VERSIONS[family]:
            whole = version if "." in version else f"{version}.0"
            return f"{family}-{whole}-{'or-later' if gnu[3] else 'only'}"
    known = _NAMES.get(name.lower())
    return known or f"LicenseRef-{_UNSPEAKABLE.sub('-', name).strip('-') or 'unnamed'}"
