"""Files as artifacts: tags for any name, manifests that are read as they were written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.names import Digest
from lapstrake.oci.descriptors import Descriptor
from lapstrake.oci.file_artifact import (
    TITLE,
    FileArtifact,
    read_manifest,
    tag_of,
    write_manifest,
)
from lapstrake.oci.grammar import is_tag

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.text(min_size=1, max_size=300))
def test_any_name_has_a_tag(name: str) -> None:
    assert is_tag(tag_of(name))


@pytest.mark.parametrize(
    "name, tag",
    [
        ("br-portable-1.0-0A1B2C3", "br-portable-1.0-0A1B2C3"),
        ("br-portable-1.0+rc.2~x-0A1B2C3", "br-portable-1.0_rc.2_x-0A1B2C3"),
        ("-a", "_a"),
        ("a" * 128, "a" * 128),
        ("a" * 129, "a" * 111 + "-c12cb024a2e5551c"),
    ],
)
def test_tags(name: str, tag: str) -> None:
    """They are part of the interface: what was published is found by them."""
    assert tag_of(name) == tag


@given(
    st.text(max_size=20),
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=9), st.text(max_size=9)),
)
def test_manifests_are_read_as_they_were_written(
    kind: str, title: str, annotations: dict[str, str]
) -> None:
    file = Descriptor(media_type="a/b", digest=Digest("sha256", "0" * 64), size=7)
    artifact = FileArtifact(kind=kind, title=title, file=file, annotations=annotations)
    titled = replace(artifact, file=replace(file, annotations={TITLE: title}))
    assert read_manifest(json.loads(write_manifest(artifact))) == titled


@given(st.dictionaries(st.sampled_from(["layers", "annotations", "artifactType", "x"]), _JSON))
def test_any_document_is_a_manifest_or_a_value_error(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"its manifest (is malformed|does not have)"):
        read_manifest(document)
