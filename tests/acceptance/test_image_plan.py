"""A branch's own plan for layers: learnt once, kept, and followed by all its images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lapstrake.errors import UsageError
from lapstrake.grouping.plan import parse_plan
from shop import Shop

LEARNING = "learning how to group"


def make(
    shop: Shop, branch: str, *words: str, settings: tuple[str, ...] = ()
) -> tuple[dict[frozenset[str], str], str]:
    """An image's layers of packages, names → digest, and what was said meanwhile."""
    done = shop.ok(*settings, "image", "build", "-b", branch, "--json", *words)
    layers = json.loads(done.stdout)["layers"]
    return {
        names(layer): layer["blob"]["digest"] for layer in layers if layer["members"]
    }, done.stderr


def names(layer: dict[str, Any]) -> frozenset[str]:
    return frozenset(member.partition("_")[0] for member in layer["members"])


def groups(shop: Shop, branch: str, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        shop.ok("image", "layers", "-b", branch, "--json", *words).stdout
    )
    return found


def plans(shop: Shop, branch: str) -> dict[str, bytes]:
    folder = shop.work_dir / "plans"
    return {file.name: file.read_bytes() for file in folder.glob(f"{branch}-*")}


@pytest.fixture(scope="module")
def planned(shop: Shop) -> str:
    """A branch that has made an image of its own package ``pebble`` and others."""
    branch = shop.branch()
    shop.build(shop.bundle("pebble"), branch)
    _, said = make(shop, branch, "pebble", "jq")
    assert said.count(LEARNING) == 1
    return branch


def test_a_new_version_changes_the_layers_that_hold_it(shop: Shop, planned: str) -> None:
    """The point of it all: next week's image shares all other layers with today's."""
    before, said = make(shop, planned, "pebble", "jq", "nano")
    assert LEARNING not in said
    plan = plans(shop, planned)
    shop.build(shop.bundle("pebble", version="2"), planned)
    after, said = make(shop, planned, "pebble", "jq", "nano")
    assert LEARNING not in said
    assert before.keys() == after.keys()
    changed = [members for members in after if after[members] != before[members]]
    assert len(changed) == 1
    assert "pebble" in changed[0]
    assert len(after) > 5
    assert plans(shop, planned) == plan


def test_what_layers_shows_is_what_an_image_gets(shop: Shop, planned: str) -> None:
    for words in (("pebble", "jq"), ("base", "jq")):
        shown = {frozenset(group["members"]) for group in groups(shop, planned, *words)}
        assert shown == make(shop, planned, *words)[0].keys()


def test_nixery_s_sets_in_an_image(shop: Shop, planned: str) -> None:
    """A dominator has what only it needs: without it nothing of its set is reached."""
    sets = make(shop, planned, "--strategy", "nixery", "jq")[0].keys()
    assert frozenset({"jq", "libjq1", "libonig5"}) in sets
    assert frozenset({"libc6"}) in sets
    assert len(make(shop, planned, "--strategy", "nixery", "--budget", "4", "jq")[0]) == 3


def test_why_a_layer_is_told(shop: Shop, planned: str) -> None:
    layers, _ = make(shop, planned, "pebble", "jq")
    members, digest = max(layers.items(), key=lambda item: len(item[0]))
    (group,) = [g for g in groups(shop, planned, "pebble", "jq") if {*g["members"]} == members]
    told = shop.ok("why", "layer", digest).stdout
    assert group["reason"] in told
    assert all(f"{name}_" in told for name in members)
    assert group["reason"] in shop.ok("image", "inspect", "-b", planned, "pebble", "jq").stdout
    assert "0 layers" in shop.fails(UsageError.exit_code, "why", "layer", "nosuch").stderr


def test_the_same_index_gives_the_same_plan(shop: Shop, planned: str, tmp_path: Path) -> None:
    """A plan that is written for other machines is the branch's own, and gives the same image."""
    own = [content for name, content in plans(shop, planned).items() if "-94.v" in name]
    pinned = tmp_path / "pinned.json"
    shop.ok("image", "plan", "-b", planned, "--budget", "94", "-o", str(pinned))
    assert [pinned.read_bytes()] == own
    settings = ("--set", f"images.plan={pinned}")
    before = make(shop, planned, "jq")[0]
    assert make(shop, planned, "jq", settings=settings)[0] == before


def test_what_was_pulled_is_popular(shop: Shop, planned: str, tmp_path: Path) -> None:
    log, learnt = tmp_path / "log", tmp_path / "learnt.json"
    log.write_text("1 127.0.0.1 - GET /v2/nginx/manifests/stable 200 1 1ms docker\n")
    words = ("--pulls", str(log), "--budget", "94", "--images", "40", "-o", str(learnt))
    shop.ok("image", "plan", "-b", planned, *words)
    assert any("nginx" in part for part in parse_plan(learnt.read_bytes()).recipes[0].parts)
