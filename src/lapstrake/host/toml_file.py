"""Read a TOML file that people write: what is wrong is told with its line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lapstrake.errors import LapstrakeError
from lapstrake.host.files import read_regular

if TYPE_CHECKING:
    from lapstrake.formats.toml_lines import Location

_LONGEST = 16 << 20  # bytes
_TOML_PLACE = r"\s*\(at line (\d+), column \d+\)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlFile:
    """A TOML file as it is, not yet understood.

    Attributes:
        path: where it is.
        text: what is in it; lines end with a newline only.
    """

    path: Path
    text: str

    def parse(self, *, error: type[LapstrakeError]) -> dict[str, Any]:
        """Parse it.

        Raises:
            LapstrakeError: of the class `error`; it is no TOML. The brief names the line.
        """
        import re  # not needed for a file whose record is there
        import tomllib

        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as wrong:
            place = re.search(_TOML_PLACE, str(wrong))
            line = int(place[1]) if place else self.text.count("\n") + 1
            problem = re.sub(_TOML_PLACE, "", str(wrong)).removesuffix(" (at end of document)")
            raise error(f"{self.path}:{line}: {problem}") from wrong
        except ValueError as wrong:  # Python's limit for the digits of a number
            raise error(f"{self.path}: a number has too many digits") from wrong
        except RecursionError as wrong:
            raise error(f"{self.path}: tables or lists are nested too deeply") from wrong

    def where(self, location: Location) -> str:
        """``FILE:LINE: KEY`` of a place in it, for messages."""
        from lapstrake.formats.toml_lines import line_of

        key = ".".join(str(part) for part in location if isinstance(part, str))
        return f"{self.path}:{line_of(self.text, location)}: {key}"


def read_toml(path: Path, *, error: type[LapstrakeError]) -> TomlFile:
    """Read a file as text.

    Raises:
        LapstrakeError: of the class `error`; it is missing, no regular file, or not UTF-8.
    """
    try:
        data = read_regular(path, limit=_LONGEST)
        return TomlFile(path=path, text=data.decode("utf-8").replace("\r\n", "\n"))
    except FileNotFoundError as missing:
        raise error(f"{path} does not exist") from missing
    except OSError as trouble:
        raise error(f"{path}: {trouble.strerror}") from trouble
    except UnicodeDecodeError as trouble:
        line = trouble.object[: trouble.start].count(b"\n") + 1
        raise error(f"{path}:{line}: not UTF-8", resolution="Save it as UTF-8.") from trouble
