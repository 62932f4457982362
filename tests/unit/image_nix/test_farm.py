"""The folder of links over store paths, on trees made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.image.sources.nix_farm import make_farm
from lapstrake.names import GuestPath

STORE = GuestPath("/nix/store")
CUSTOMS = {"tmp", "usr", "usr/bin", "usr/bin/env"}


class World:
    """A folder as the image's root; what a test puts there, and the farm it gets."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def on_host(self, path: GuestPath) -> Path:
        return self.root / str(path).lstrip("/")

    def file(self, path: str, text: str = "") -> None:
        file = self.on_host(STORE / path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def link(self, path: str, target: str) -> None:
        link = self.on_host(STORE / path)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)

    def farm(self, *packages: str) -> dict[str, str]:
        """Paths of the farm: a link's target, or nothing for a folder."""
        folder = self.root / "farm"
        make_farm(folder, [STORE / package for package in packages], self.on_host)
        return {
            str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else ""
            for path in folder.rglob("*")
        }


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_first_package_wins_a_file(world: World) -> None:
    world.file("a/bin/x")
    world.file("b/bin/x")
    world.file("b/bin/y")
    farm = world.farm("a", "b")
    assert farm["bin/x"] == "/nix/store/a/bin/x"
    assert farm["bin/y"] == "/nix/store/b/bin/y"
    assert world.on_host(GuestPath("/farm/bin")).is_dir()


@pytest.mark.parametrize("target", ["/nix/store/real/lib", "../real/lib", "../b/../real/lib"])
def test_a_link_to_a_folder_is_merged_with_a_folder(world: World, target: str) -> None:
    world.link("a/lib", target)
    world.file("real/lib/one")
    world.file("b/lib/two")
    farm = world.farm("a", "b")
    assert farm["lib"] == ""
    assert farm["lib/one"] == "/nix/store/real/lib/one"
    assert farm["lib/two"] == "/nix/store/b/lib/two"


def test_a_link_that_is_alone_stays_a_link(world: World) -> None:
    world.link("a/lib", "/nix/store/real/lib")
    world.file("real/lib/one")
    assert world.farm("a")["lib"] == "/nix/store/a/lib"


@pytest.mark.parametrize(
    "target",
    ["/etc", "../../../../../../../../etc", "/nix/store/gone", "lib", "/nix/store/b/lib/f"],
)
def test_no_link_leads_out_of_the_store(world: World, target: str) -> None:
    world.link("a/lib", target)
    world.file("b/lib/f")
    farm = world.farm("a", "b")
    assert farm["lib"] == "/nix/store/a/lib"
    assert not any(path.startswith("lib/") for path in farm)


def test_a_file_and_a_folder_of_one_name(world: World) -> None:
    world.file("a/x")
    world.file("b/x/y")
    assert world.farm("a", "b")["x"] == "/nix/store/a/x"


def test_a_folder_is_not_spoilt_by_a_later_file(world: World) -> None:
    world.file("a/x/y")
    world.file("b/x")
    farm = world.farm("a", "b")
    assert farm["x"] == ""
    assert farm["x/y"] == "/nix/store/a/x/y"


def test_packages_that_are_files_add_nothing(world: World) -> None:
    world.file("a")
    world.file("b/bin/x")
    assert set(world.farm("a", "b")) == {"bin", "bin/x", *CUSTOMS}


def test_what_packages_bring_is_kept(world: World) -> None:
    world.file("a/usr/bin/env")
    world.file("a/tmp/x")
    farm = world.farm("a")
    assert farm["usr/bin/env"] == "/nix/store/a/usr/bin/env"
    assert farm["tmp/x"] == "/nix/store/a/tmp/x"


def test_usr_may_be_a_link(world: World) -> None:
    world.link("a/usr", "/nix/store/real")
    assert set(world.farm("a")) == {"usr", "tmp"}


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@settings(max_examples=60)
@given(st.lists(st.sets(PATHS, max_size=6), min_size=1, max_size=4), st.data())
def test_each_file_is_linked_unless_another_stands_there(
    tmp_path_factory: pytest.TempPathFactory, packages: list[set[str]], data: st.DataObject
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    names = [f"p{number}" for number in range(len(packages))]
    for name, paths in zip(names, packages, strict=True):
        world.on_host(STORE / name).mkdir(parents=True)
        for path in sorted(paths):
            if not any(other.startswith(f"{path}/") for other in paths):
                world.file(f"{name}/{path}")
    farm = world.farm(*names)
    expected: dict[str, str] = {}
    for name in names:
        top = world.on_host(STORE / name)
        for entry in sorted(top.rglob("*")):
            path = str(entry.relative_to(top))
            above = [str(parent) for parent in GuestPath(path).parents if str(parent) != "."]
            if not any(expected.get(each) for each in above):
                target = "" if entry.is_dir() else f"/nix/store/{name}/{path}"
                expected.setdefault(path, target)
    assert {path: aim for path, aim in farm.items() if path not in CUSTOMS} == expected
