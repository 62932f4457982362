"""dpkg's list of packages, ``/var/lib/dpkg/status``, as text: read, and added to (dpkg(1))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

STATUS = "var/lib/dpkg/status"
"""The file's path below a root."""

TO_REMOVE = "newconffile remove-on-upgrade"
"""What the list says of a configuration file that a package only wants to be gone."""

_FIELD = re.compile(r"^([!-9;-~]+):[ \t]*((?:.*)(?:\n[ \t].*)*)", re.MULTILINE)
_SOURCE = re.compile(r"(?P<name>\S+)(?: \((?P<version>[^)]+)\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stanza:
    """One package of the list, or a package file's own control paragraph.

    Attributes:
        fields: by their names in lower case; values have their line breaks.
        text: the whole paragraph, without the empty line after it.
    """

    fields: Mapping[str, str]
    text: str = field(repr=False, compare=False)

    def __getitem__(self, name: str) -> str:
        """A field's value; empty when it is missing."""
        return self.fields.get(name, "")

    @property
    def name(self) -> str:
        """The package's name."""
        return self["package"]

    @property
    def state(self) -> str:
        """The last word of its status: ``installed``, ``config-files``, ``unpacked`` ..."""
        return self["status"].rpartition(" ")[2]

    @property
    def source(self) -> tuple[str, str]:
        """Name and version of the source package."""
        match = _SOURCE.match(self["source"])
        if match is None:
            return self.name, self["version"]
        return match["name"], match["version"] or self["version"]

    @property
    def qualified(self) -> str:
        """The name as dpkg calls its files: with the architecture where several may be there."""
        return f"{self.name}:{self['architecture']}" if self["multi-arch"] == "same" else self.name


def parse_stanza(text: str) -> Stanza:
    """Read one paragraph."""
    fields = {name.lower(): value for name, value in _FIELD.findall(text)}
    return Stanza(fields=fields, text=text)


def parse_status(text: str) -> tuple[Stanza, ...]:
    """Read the whole list, in its order."""
    return tuple(parse_stanza(part.strip("\n")) for part in text.split("\n\n") if part.strip())


def unpacked_stanza(control: str, conffiles: Iterable[tuple[str, str]]) -> str:
    """What dpkg's list says of a package whose files are in place, but which is not configured.

    Args:
        control: the package's own control paragraph.
        conffiles: paths of its configuration files with MD5 sums, or what else dpkg notes of them
            (`TO_REMOVE`), in the package's order. With sums dpkg takes them for configured, and
            leaves the files where they are.
    """
    lines = [*control.strip("\n").split("\n")]
    first = next(
        (number for number, line in enumerate(lines) if line.lower().startswith("package:")), 0
    )
    lines.insert(first + 1, "Status: install ok unpacked")
    sums = [f" {path} {state}" for path, state in conffiles]
    return "\n".join([*lines, *(["Conffiles:", *sums] if sums else [])]) + "\n\n"
