"""What a bundle wants in its root, and how apt is told."""

from __future__ import annotations

from pathlib import Path

from lapstrake.build.dependencies import wanted_root
from lapstrake.bundle.base import BuildDependencies, Bundle, BundleFormat
from lapstrake.compose.wish import satisfy_words


def words(needs: BuildDependencies, **environment: str) -> list[str]:
    bundle = Bundle(
        name="x",
        version="1",
        upstream_version="1",
        format=BundleFormat.NATIVE,
        path=Path("x"),
        build_depends=needs,
        environment=environment,
    )
    return satisfy_words(wanted_root(bundle))


def test_dependencies_as_apt_takes_them() -> None:
    needs = BuildDependencies(
        depends=("a (>= 1) <!nocheck>", "b | c"), conflicts=("d", "e"), essential=True
    )
    relations = "build-essential, a (>= 1) <!nocheck>, b | c"
    assert words(needs) == ["satisfy", relations, "Conflicts: d", "Conflicts: e"]


def test_profiles_are_divided_by_commas() -> None:
    option, *rest = words(BuildDependencies(depends=("a",)), LAPSTRAKE_PROFILES="nocheck  nodoc")
    assert option == "-oAPT::Build-Profiles=nocheck,nodoc"
    assert rest == ["satisfy", "a"]


def test_conflicts_alone() -> None:
    assert words(BuildDependencies(conflicts=("d",))) == ["satisfy", "Conflicts: d"]
