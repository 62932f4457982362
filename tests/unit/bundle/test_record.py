"""Bundles that are remembered."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.bundle import native
from lapstrake.bundle.base import BuildDependencies, Bundle, BundleFormat, Needs
from lapstrake.bundle.find import BundleLocation
from lapstrake.bundle.read import ReadOptions, read
from lapstrake.errors import BundleError
from lapstrake.host.record import dump, load, remembered
from lapstrake.names import Arch, Digest
from lapstrake.source.spec import SourceKind, SourceSpec, Submodules
from pythons import said_by

texts = st.text(max_size=6)
digests = st.builds(Digest, texts, texts)
sources = st.builds(
    SourceSpec,
    kind=st.sampled_from(SourceKind),
    url=texts,
    name=texts,
    digest=st.none() | digests,
    submodules=st.sampled_from(Submodules),
    keep_repository=st.booleans(),
)
tuples = st.lists(texts, max_size=3).map(tuple)
bundles = st.builds(
    Bundle,
    name=texts,
    version=texts,
    upstream_version=texts,
    format=st.sampled_from(BundleFormat),
    path=st.just(Path("/some where/é")),
    sources=st.lists(sources, max_size=2).map(tuple),
    build_depends=st.builds(BuildDependencies, depends=tuples, essential=st.booleans()),
    environment=st.dictionaries(texts, texts, max_size=2),
    files=st.dictionaries(texts, st.binary(max_size=5), max_size=2),
    needs=st.builds(
        Needs,
        network=st.booleans(),
        secrets=tuples,
        memory=st.none() | st.integers(),
        seconds=st.none() | st.floats(allow_nan=False),
    ),
    warnings=tuples,
)


@given(bundles)
def test_a_record_is_the_bundle(bundle: Bundle) -> None:
    assert load(Bundle, dump(bundle)) == bundle


@pytest.mark.parametrize(
    "data", [b"", b"{", b"{}", b"[]", b"1", b'{"name": 1}', b"\xff", b'{"name":"x"}', b"null"]
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        load(Bundle, data)


def test_reading_is_spared_and_repeated_when_inputs_change(tmp_path: Path) -> None:
    made = Bundle(
        name="x", version="1", upstream_version="1", format=BundleFormat.NATIVE, path=tmp_path
    )
    reads: list[str] = []

    def get(inputs: dict[str, bytes]) -> Bundle:
        return remembered(
            Bundle,
            tmp_path / "r",
            inputs=inputs,
            read=lambda: reads.append("") or made,  # type: ignore[func-returns-value]
        )

    for _ in range(2):
        assert get({"a": b"1", "b": b"2"}) == made
    assert len(reads) == 1
    get({"a": b"12", "b": b""})
    get({"a": b"1", "b": b"2", "c": b""})
    assert len(reads) == 3
    for record in (tmp_path / "r").iterdir():
        record.write_bytes(b"{")  # damaged
    assert get({"a": b"1", "b": b"2"}) == made
    assert len(reads) == 4
    (tmp_path / "file").write_text("")
    nowhere = remembered(Bundle, tmp_path / "file" / "r", inputs={}, read=lambda: made)
    assert nowhere == made


TOML = '[package]\nname = "greet"\nversion = "1"\ndescription = "greets"\n'


def test_a_native_bundle_is_remembered_without_pydantic(tmp_path: Path) -> None:
    (tmp_path / "lapstrake.toml").write_text(TOML)
    location = BundleLocation(format=BundleFormat.NATIVE, path=tmp_path)
    options = ReadOptions(records=tmp_path / "records")
    first = read(location, arch=Arch.AMD64, options=options)
    assert first == native.read(tmp_path, arch=Arch.AMD64)
    script = (
        "import sys\nfrom pathlib import Path\nfrom lapstrake.bundle.find import find\n"
        "from lapstrake.bundle.read import ReadOptions, read\n"
        "found = find(sys.argv[1], trees=(), cwd=Path('/'))\n"
        "options = ReadOptions(records=Path(sys.argv[1]) / 'records')\n"
        "print(read(found, arch='amd64', options=options).name, 'pydantic' in sys.modules)\n"
    )
    assert said_by(script, tmp_path) == "greet False\n"
    (tmp_path / "lapstrake.toml").write_text(TOML.replace("greet", "hello"))
    assert read(location, arch=Arch.AMD64, options=options).name == "hello"
    (tmp_path / "lapstrake.toml").write_text(TOML + "x = 1\n")
    for _ in range(2):
        with pytest.raises(BundleError, match="unknown key"):
            read(location, arch=Arch.AMD64, options=options)
