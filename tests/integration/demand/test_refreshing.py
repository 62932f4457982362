"""Popular branches are kept fresh, and what is popular is made anew."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

from handmade_images import file, make_image
from lapstrake.blobs.local import LocalBlobs
from lapstrake.config.model import Config, RefreshConfig, RefreshMode
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.registry.demand.images import manifests_of
from lapstrake.registry.demand.records import Record, Records
from lapstrake.registry.demand.refresh import DEFAULT_SECONDS, Refresher, period


def look(place: Workplace, blobs: LocalBlobs) -> list[str]:
    """What one look does."""
    done: list[str] = []

    async def refresh(name: BranchName) -> None:
        done.append(f"refresh {name}")

    async def remake(record: Record) -> None:
        done.append(f"remake {record.title}")

    refresher = Refresher(place, Records(blobs), refresh=refresh, remake=remake)
    asyncio.run(refresher.look())
    return done


def pulled(blobs: LocalBlobs, name: str, tag: str, *, hours: float = 0) -> None:
    image = make_image(blobs, [file(name)])
    Records(blobs).note(name, tag, manifests_of(image))
    document = f"made/{tag}/{name}"
    facts = json.loads(blobs.document(document) or b"")
    blobs.write(document, json.dumps(facts | {"pulled": time.time() - hours * 3600}).encode())


def test_a_branch_that_changed_is_refreshed_and_its_popular_names_made_anew(
    warm_place: Workplace, tmp_path: Path
) -> None:
    blobs = LocalBlobs(tmp_path / "images")
    pulled(blobs, "early", "stable", hours=3)
    pulled(blobs, "late", "latest")
    pulled(blobs, "forgotten", "stable", hours=30)
    pulled(blobs, "other", "0123456789012345678901234567890123456789")  # a revision of Nix
    assert warm_place.config.folder is not None
    listed = warm_place.config.folder / "source_lists" / "stable.sources"
    assert look(warm_place, blobs) == []
    listed.write_text(listed.read_text() + "\n# edited\n")
    assert look(warm_place, blobs) == [
        "refresh stable",
        "remake late:latest",
        "remake early:stable",
    ]


def test_how_often() -> None:
    config = Config()
    assert period(config) == DEFAULT_SECONDS
    hourly = RefreshConfig(mode=RefreshMode.ALWAYS, max_age=3600.0)
    assert period(replace(config, refresh=hourly)) == 3600.0
