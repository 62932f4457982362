"""What is built, what is only fetched, and what nobody allowed: hours never start unasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lapstrake.artifact.base import Origin, Package, Project
from lapstrake.artifact.building.jobs import needed_by
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.getting.found import Missing
from lapstrake.errors import StaleError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A package, and whether somebody asked for its building.

    Attributes:
        package: the package.
        asked: it can be built, and was named, or is the project itself.
    """

    package: Package
    asked: bool

    @property
    def allowed(self) -> bool:
        """Whether it may be built once its sites do not have it.

        A package that has no sites can come from nowhere else.
        """
        if self.package.platform is None:
            return False
        return self.asked or self.package.build_allowed or not self.package.sites


def wishes_of(project: Project, names: Sequence[str]) -> tuple[Wish, ...]:
    """The packages that are wanted, and those that they need, in the order they are built in.

    Args:
        project: the project.
        names: of packages; all of the project's when there are none.

    Raises:
        UsageError: a name is none of a package that is built.
    """
    wanted = [_named(project, name) for name in names] or list(project.packages)
    needed = {each.name for package in wanted for each in (*needed_by(project, package), package)}
    return tuple(
        Wish(package=each, asked=_is_asked(each, names))
        for each in project.packages
        if each.name in needed and _has_artifact(each)
    )


def refuse_unasked(missing: Sequence[Missing], depot: Depot) -> StaleError:
    """The error for all packages that would have to be built, and that nobody allowed."""
    names = [each.package.name for each in missing]
    able = [each.package.name for each in missing if each.package.platform]
    return StaleError(
        f"not here, and not to be built unasked: {', '.join(names)}",
        details="\n".join(_tale(each) for each in missing),
        resolution="\n".join(_advice(missing, able, depot)),
    )


def _advice(missing: Sequence[Missing], able: Sequence[str], depot: Depot) -> list[str]:
    lines = [
        "Get them once more: lapstrake artifact get " + " ".join(m.package.name for m in missing),
        f"Or put {', '.join(each.identity.file_name for each in missing)} into {depot.downloads}.",
    ]
    if able:
        lines.append(f"Or build here, which may take hours: lapstrake artifact build {able[0]}")
        lines.append(f"Or allow it for good: [overrides.{able[0]}] build = true")
    return lines


def _tale(missing: Missing) -> str:
    lines = [f"  {tried.where}: {tried.said}" for tried in missing.tried]
    if missing.package.platform is None:
        lines.append("  it says nothing of how it is built")
    return "\n".join([f"{missing.identity.file_name}:", *lines])


def _named(project: Project, name: str) -> Package:
    package = project.named(name)
    if package.platform is None:
        raise UsageError(
            f"{name} says nothing of how it is built",
            resolution=f"Give it a [platform], or get it: lapstrake artifact get {name}",
        )
    return package


def _is_asked(package: Package, names: Sequence[str]) -> bool:
    named = package.name in names or package.origin is Origin.PROJECT
    return named and package.platform is not None


def _has_artifact(package: Package) -> bool:
    return not package.type.is_platform and bool(package.platform or package.sites)
