"""From what the file, the environment and the command line say to a `Config`; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lapstrake.config.kinds import PATH, TEXT, TEXTS, Kind
from lapstrake.config.model import Config, Origin, OriginKind, Rewrite, Secret
from lapstrake.config.setting import Setting, sections_of, settings_of
from lapstrake.errors import ConfigError

if TYPE_CHECKING:
    from lapstrake.config.locate import KeyPath

T = TypeVar("T")

OPEN_TABLES = ("mirrors", "rewrite", "dependency_names", "secrets", "image_sets")
"""What a file may hold beside settings: tables whose keys are the user's own."""

_ALL_KEYS = "`lapstrake -c NEW_FOLDER config init` writes a file that shows every key."


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """All that can set a value.

    Attributes:
        raw: the file, as tomllib gives it.
        lines: the line of each key of the file.
        file: the file's path, ``None`` without a file.
        environment: the environment's variables.
        overrides: from the command line: key → text.
    """

    raw: Mapping[str, object] = field(default_factory=dict)
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """``config.toml:12``, the line being that of the nearest key that has one."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return f"{self.file}:{self.lines[path[:end]]}"
        return str(self.file)


@cache
def all_settings() -> Mapping[str, Setting]:
    """Every setting by its key, in order."""
    return {each.key: each for each in settings_of(Config)}


def read_config(given: Given) -> Config:
    """Check everything and make the configuration.

    Raises:
        ConfigError: something is wrong: the brief says the first thing, the details the others.
    """
    reader = _Reader(given)
    reader.refuse_unknown()
    values = reader.settings()
    tables = {
        "rewrites": (*reader.mirrors(), *reader.rewrites()),
        "dependency_names": reader.dependency_names(),
        "secrets": reader.secrets(),
        "image_sets": reader.image_sets(),
    }
    if reader.problems:
        first, *others = reader.problems
        raise ConfigError(
            first,
            details="\n".join(others),
            resolution=_ALL_KEYS if reader.unknown else "",
        )
    made: dict[str, object] = {
        name: kind(**values.pop(name, {})) for name, kind in sections_of(Config).items()
    }
    folder = given.file.parent if given.file else None
    return Config(**values.pop("", {}), **made, **tables, folder=folder, origins=reader.origins)  # type: ignore[arg-type]


class _Reader:
    """Reads the parts, collecting problems instead of stopping at the first."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.problems: list[str] = []
        self.unknown = False
        self.origins: dict[str, Origin] = {}

    def refuse_unknown(self) -> None:
        """Name every key that means nothing, with the nearest one that does."""
        names: dict[str, list[str]] = {}
        for key in all_settings():
            section, _, name = key.rpartition(".")
            names.setdefault(section, []).append(name)
        sections = [name for name in names if name]
        top = [*names[""], *sections, *OPEN_TABLES]
        self._name_unknown((), self.given.raw, top)
        for section in sections:
            table = self.given.raw.get(section, {})
            if isinstance(table, dict):
                self._name_unknown((section,), table, names[section])
            else:
                self._file_problem((section,), f"{table!r} is not a table: write [{section}]")
        for key in self.given.overrides:
            if key not in all_settings():
                self._unknown("--set", key, list(all_settings()))

    def settings(self) -> dict[str, dict[str, object]]:
        """The values that something sets: section → name → value; the top's section is empty."""
        values: dict[str, dict[str, object]] = {}
        for each in all_settings().values():
            for origin, value, base in self._sources(each):
                table, _, name = each.key.rpartition(".")
                try:
                    read = each.kind.read(value)
                except ValueError as wrong:
                    label = "" if origin.place.startswith("--set") else f"{each.key}: "
                    self.problems.append(f"{origin.place}: {label}{wrong}")
                else:
                    values.setdefault(table, {})[name] = _anchored(read, base)
                    self.origins[each.key] = origin
                break  # the strongest source holds
        return values

    def mirrors(self) -> Iterator[Rewrite]:
        """``[mirrors]``: prefix = replacement or replacements."""
        for prefix, to in self._table("mirrors").items():
            yield from self._rule(("mirrors", prefix), prefix, to)

    def rewrites(self) -> Iterator[Rewrite]:
        """``[[rewrite]]``: from, to."""
        rules = self.given.raw.get("rewrite", [])
        if not isinstance(rules, list):
            self._file_problem(("rewrite",), "is not an array of tables: write [[rewrite]]")
            return
        for index, rule in enumerate(rules):
            path = ("rewrite", index)
            if not isinstance(rule, dict):
                self._file_problem(path, f"{rule!r} is not a table with from and to")
                continue
            self._name_unknown(path, rule, ["from", "to"])
            if "from" not in rule or "to" not in rule:
                self._file_problem(path, "needs both from and to")
                continue
            yield from self._rule(path, rule["from"], rule["to"])

    def dependency_names(self) -> dict[str, str]:
        """``[dependency_names]``: word = package."""
        found = {}
        for name, value in self._table("dependency_names").items():
            path = ("dependency_names", name)
            found[name] = self._read(TEXT, value, path, "")
            self._located(path)
        return found

    def secrets(self) -> dict[str, Secret]:
        """``[secrets]``: NAME = {env = "..."} or {file = "..."}."""
        found = {}
        for name, value in self._table("secrets").items():
            path = ("secrets", name)
            if not isinstance(value, dict) or len(value) != 1 or not {"env", "file"} & set(value):
                hint = '{ env = "VARIABLE" } or { file = "PATH" }'
                self._file_problem(path, f"a secret is written as {hint}")
                continue
            env = self._read(TEXT, value.get("env", ""), (*path, "env"), name)
            file: Path | None = None
            if "file" in value:
                file = self._folder() / self._read(PATH, value["file"], (*path, "file"), Path())
            elif not env:
                self._file_problem((*path, "env"), "the variable's name is empty")
            found[name] = Secret(name=name, env=env, file=file)
            self._located(path)
        return found

    def image_sets(self) -> dict[str, tuple[str, ...]]:
        """``[image_sets]``: word = packages."""
        found = {}
        for name, value in self._table("image_sets").items():
            path = ("image_sets", name)
            found[name] = self._read(TEXTS, value, path, ())
            self._located(path)
        return found

    def _sources(self, each: Setting) -> Iterator[tuple[Origin, object, Path]]:
        """What sets a setting, strongest first: origin, value, what relative paths start at."""
        text = self.given.overrides.get(each.key)
        if text is not None:
            place = f"--set {each.key}"
            yield (
                Origin(kind=OriginKind.COMMAND_LINE, place=place),
                each.kind.plain(text),
                Path.cwd(),
            )
        for variable in each.variables:
            text = self.given.environment.get(variable)
            if text:
                origin = Origin(kind=OriginKind.ENVIRONMENT, place=variable)
                yield origin, each.kind.plain(text), Path.cwd()
        section, _, name = each.key.rpartition(".")
        table = self.given.raw.get(section, {}) if section else self.given.raw
        if isinstance(table, dict) and name in table:
            place = self.given.place(tuple(each.key.split(".")))
            yield Origin(kind=OriginKind.FILE, place=place), table[name], self._folder()

    def _rule(self, path: KeyPath, prefix: object, to: object) -> Iterator[Rewrite]:
        before = len(self.problems)
        start = self._read(TEXT, prefix, path, "")
        ends = self._read(TEXTS, to, path, ())
        if len(self.problems) > before:
            return
        if not start or not ends or not all(ends):
            self._file_problem(path, "the prefix and its replacements must not be empty")
            return
        self._located(path)
        yield Rewrite(prefix=start, replacements=ends, key=_dotted(path))

    def _read(self, kind: Kind[T], value: object, path: KeyPath, instead: T) -> T:
        try:
            return kind.read(value)
        except ValueError as wrong:
            self._file_problem(path, str(wrong))
            return instead

    def _table(self, name: str) -> dict[str, object]:
        table = self.given.raw.get(name, {})
        if isinstance(table, dict):
            return table
        self._file_problem((name,), f"{table!r} is not a table: write [{name}]")
        return {}

    def _located(self, path: KeyPath) -> None:
        """Note where the file says an entry of a table."""
        origin = Origin(kind=OriginKind.FILE, place=self.given.place(path))
        self.origins[_dotted(path)] = origin

    def _folder(self) -> Path:
        return self.given.file.parent if self.given.file else Path.cwd()

    def _name_unknown(
        self, path: KeyPath, table: Mapping[str, object], known: Sequence[str]
    ) -> None:
        for key in table:
            if key not in known:
                self._unknown(self.given.place((*path, key)), _dotted((*path, key)), known)

    def _unknown(self, place: str, key: str, known: Sequence[str]) -> None:
        from difflib import get_close_matches  # slow to import, and only errors need it

        self.unknown = True
        name = key if key.count(".") and place == "--set" else key.rpartition(".")[2]
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        self.problems.append(f"{place}: unknown key {key!r}{hint}")

    def _file_problem(self, path: KeyPath, text: str) -> None:
        self.problems.append(f"{self.given.place(path)}: {_dotted(path)}: {text}")


def _anchored(value: object, base: Path) -> object:
    """Make relative paths absolute."""
    if isinstance(value, Path):
        return base / value
    if isinstance(value, tuple):
        return tuple(_anchored(item, base) for item in value)
    return value


def _dotted(path: KeyPath) -> str:
    return ".".join(str(key) if isinstance(key, str) else str(key + 1) for key in path)
