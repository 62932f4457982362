"""What is remembered of names, and letting go of those that nobody pulls."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from handmade_images import add_blob, file, make_image, make_index
from lapstrake.blobs.local import LocalBlobs
from lapstrake.blobs.referrers import record_referrer, referrers
from lapstrake.image.base import Image
from lapstrake.image.record import (
    PackedLayer,
    all_images,
    all_layers,
    record_image,
    record_layer,
)
from lapstrake.names import Arch, CacheKey
from lapstrake.registry.demand.forget import forget_unused
from lapstrake.registry.demand.images import manifests_of
from lapstrake.registry.demand.records import Records
from lapstrake.registry.protocol.collect import collect_blobs

DAY = 24 * 3600.0


@pytest.fixture
def blobs(memory_path: Path) -> LocalBlobs:
    return LocalBlobs(memory_path / "images")


def made(blobs: LocalBlobs, text: str) -> Image:
    """An image with a document that refers to it, all recorded as by a making."""
    image = make_image(blobs, [file("same", b"same")], [file("own", text.encode())])
    for layer in image.layers:
        packed = PackedLayer(blob=layer.blob, diff_id=layer.diff_id, plain_size=1)
        record_layer(blobs, CacheKey(layer.diff_id.hex), packed)
    bill = add_blob(blobs, f"bill of {text}".encode(), "text/plain")
    row = {"mediaType": "text/plain", "digest": str(bill.digest), "size": bill.size}
    record_referrer(blobs, image.oci.digest, row)
    record_image(blobs, image)
    return image


def age(blobs: LocalBlobs, document: str, days: float) -> None:
    """Make a record look as old."""
    facts = json.loads(blobs.document(document) or b"")
    facts["pulled"] -= days * DAY
    facts["former"] = {key: at - days * DAY for key, at in facts["former"].items()}
    blobs.write(document, json.dumps(facts).encode())


def _look_old(blobs: LocalBlobs) -> None:
    for digest in blobs.digests():
        file = blobs.path(digest)
        assert file is not None
        os.utime(file, times=(0, 0))


def test_a_record_knows_what_a_name_leads_to_and_led_to(blobs: LocalBlobs) -> None:
    first, second = make_image(blobs, [file("a")]), make_image(blobs, [file("b")])
    records = Records(blobs)
    records.note("some/name", "stable", manifests_of(first))
    begun = records.find("some/name", "stable")
    records.note("some/name", "stable", manifests_of(second))
    record = records.find("some/name", "stable")
    assert begun is not None
    assert record is not None
    assert begun.manifests == manifests_of(first)
    assert record.manifests == manifests_of(second)
    assert list(record.former) == [first.key.hex]
    assert record.made > begun.made
    assert records.names() == ["some/name"]
    records.note("some/name", "stable", manifests_of(first))  # back again: former no more
    record = records.find("some/name", "stable")
    assert record is not None
    assert list(record.former) == [second.key.hex]


def test_one_machine_of_an_index_is_the_same_name(blobs: LocalBlobs) -> None:
    here = make_image(blobs, [file("here")])
    there = make_image(blobs, [file("there")], arch=Arch.ARM64)
    whole = manifests_of(make_index(blobs, here, there))
    records = Records(blobs)
    records.note("name", "stable", whole)
    records.note("name", "stable", manifests_of(here))
    record = records.find("name", "stable")
    assert record is not None
    assert record.manifests == whole
    assert not record.former
    document = blobs.document("made/stable/name")
    for manifests in (whole, manifests_of(here), whole):  # clients of both kinds write nothing
        records.note("name", "stable", manifests)
    assert blobs.document("made/stable/name") == document


def test_a_pull_of_what_is_known_writes_nothing(blobs: LocalBlobs) -> None:
    records, image = Records(blobs), make_image(blobs, [file("a")])
    records.note("name", "stable", manifests_of(image))
    document = blobs.document("made/stable/name")
    records.note("name", "stable", manifests_of(image))
    assert blobs.document("made/stable/name") == document


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"oci": 1}', b"\xff"])
def test_a_damaged_record_is_none(blobs: LocalBlobs, text: bytes) -> None:
    blobs.write("made/stable/name", text)
    assert Records(blobs).find("name", "stable") is None
    assert list(Records(blobs).all()) == []


def test_only_what_nobody_pulls_goes(blobs: LocalBlobs) -> None:
    old, new = made(blobs, "old"), made(blobs, "new")
    Records(blobs).note("old", "stable", manifests_of(old))
    Records(blobs).note("new", "stable", manifests_of(new))
    age(blobs, "made/stable/old", 40)
    assert forget_unused(blobs, seconds=30 * DAY, dry_run=True) == ("old:stable",)
    assert len(all_images(blobs)) == 2
    assert forget_unused(blobs, seconds=30 * DAY) == ("old:stable",)
    assert [image.key for image in all_images(blobs)] == [new.key]
    assert Records(blobs).names() == ["new"]
    assert referrers(blobs, old.oci.digest) == ()
    assert len(referrers(blobs, new.oci.digest)) == 1


def test_a_collection_takes_its_blobs_and_no_others(blobs: LocalBlobs) -> None:
    old, new = made(blobs, "old"), made(blobs, "new")
    Records(blobs).note("old", "stable", manifests_of(old))
    Records(blobs).note("new", "stable", manifests_of(new))
    age(blobs, "made/stable/old", 40)
    forget_unused(blobs, seconds=30 * DAY)
    assert len(all_layers(blobs)) == 3, "what was packed just now may be of an image to come"
    _look_old(blobs)
    forget_unused(blobs, seconds=30 * DAY)
    assert {layer.blob.digest for _, layer in all_layers(blobs)} == {
        layer.blob.digest for layer in new.layers
    }
    collect_blobs(blobs, grace=0)
    assert blobs.find(old.layers[1].blob.digest) is None
    assert blobs.find(old.oci.digest) is None
    assert blobs.find(old.config.digest) is None
    for descriptor in (new.oci, new.config, *(layer.blob for layer in new.layers)):
        assert blobs.find(descriptor.digest) == descriptor.size


def test_what_a_name_ceased_to_lead_to_goes_after_a_time(blobs: LocalBlobs) -> None:
    """Somebody may still pull it by its digest for a while."""
    before, now = made(blobs, "before"), made(blobs, "now")
    Records(blobs).note("name", "stable", manifests_of(before))
    Records(blobs).note("name", "stable", manifests_of(now))
    assert forget_unused(blobs, seconds=30 * DAY) == ()
    assert len(all_images(blobs)) == 2
    age(blobs, "made/stable/name", 20)
    assert forget_unused(blobs, seconds=30 * DAY) == ()
    assert len(all_images(blobs)) == 2
    facts = json.loads(blobs.document("made/stable/name") or b"")
    facts["former"] = dict.fromkeys(facts["former"], time.time() - 31 * DAY)
    blobs.write("made/stable/name", json.dumps(facts).encode())
    assert forget_unused(blobs, seconds=30 * DAY) == ()
    assert [image.key for image in all_images(blobs)] == [now.key]


def test_images_made_by_hand_stay(blobs: LocalBlobs) -> None:
    image = made(blobs, "by hand")
    assert forget_unused(blobs, seconds=0) == ()
    collect_blobs(blobs, grace=0)
    assert [each.key for each in all_images(blobs)] == [image.key]
