"""Files for releases of forges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lapstrake.artifact.base import Forge, ReleaseSite
from lapstrake.artifact.publishing.base import Parcel
from lapstrake.artifact.sites.base import Terms
from lapstrake.errors import ArtifactError
from parcels import identity_of, parcel_of, publish
from upload_forge import TOKEN, UploadForge, upload_forge

_TERMS = Terms(environment={"MINE": TOKEN}, retries=0)
_TAG = "v1.2.0+rc1"


@pytest.fixture(params=[Forge.GITHUB, Forge.GITEA])
def forge(request: pytest.FixtureRequest) -> Iterator[UploadForge]:
    with upload_forge(request.param) as running:
        yield running


@pytest.fixture
def site(forge: UploadForge) -> ReleaseSite:
    return ReleaseSite(
        forge=forge.forge, repository="owner/tools", url=forge.url, token="${MINE}", tag="v1"
    )


@pytest.fixture
def parcel(tmp_path: Path) -> Parcel:
    return parcel_of(tmp_path / "made", b"an archive\r\n--\r\n" * 1000)


def test_a_release_is_made(forge: UploadForge, site: ReleaseSite, parcel: Parcel) -> None:
    name = parcel.identity.file_name
    line = publish(replace(site, tag=""), parcel, terms=_TERMS)
    assert line == f"{forge.url}/owner/tools/releases/download/v1.2.0%2Brc1/{name} published"
    assert forge.files(_TAG) == {name: parcel.archive.read_bytes()}


def test_the_same_file_is_not_sent_again(
    forge: UploadForge, site: ReleaseSite, parcel: Parcel
) -> None:
    forge.add_release("v1")
    assert publish(site, parcel, terms=_TERMS).endswith("published")
    calls = len(forge.calls)
    assert publish(site, parcel, terms=_TERMS).endswith("is there already")
    assert {call.partition(" ")[0] for call in forge.calls[calls:]} == {"GET"}


def test_names_that_github_changes(forge: UploadForge, site: ReleaseSite, tmp_path: Path) -> None:
    parcel = parcel_of(tmp_path, b"archive", identity_of(version="1.0~rc1"))
    assert publish(site, parcel, terms=_TERMS).endswith("published")
    assert publish(site, parcel, terms=_TERMS).endswith("is there already")
    (name,) = forge.files("v1")
    shown = "." if forge.forge is Forge.GITHUB else "~"
    assert name.startswith(f"fish-linux_x86_64-1.0{shown}rc1-")


def test_another_file_is_replaced_only_by_force(
    forge: UploadForge, site: ReleaseSite, parcel: Parcel, tmp_path: Path
) -> None:
    name = parcel.identity.file_name
    release = forge.add_release("v1")
    for data in (b"old", bytes(parcel.size)):
        release["assets"].clear()
        forge.add_file(release, name, data)
        with pytest.raises(ArtifactError, match="is something else"):
            publish(site, parcel, terms=_TERMS)
        assert forge.files("v1") == {name: data}
    forge.add_file(release, f"{name}.new", b"left by one that was killed")
    assert publish(site, parcel, terms=_TERMS, force=True).endswith("replaced")
    assert forge.files("v1") == {name: parcel.archive.read_bytes()}
    deleted = next(n for n, call in enumerate(forge.calls) if call.startswith("DELETE"))
    assert deleted < len(forge.calls)


def test_a_file_stays_until_the_new_one_is_there(
    forge: UploadForge, site: ReleaseSite, parcel: Parcel
) -> None:
    name = parcel.identity.file_name
    forge.add_file(forge.add_release("v1"), name, b"old")
    forge.refusals["POST"] = (507, b'{"message": "no space\\nleft"}')
    with pytest.raises(ArtifactError, match="cannot be published") as refused:
        publish(site, parcel, terms=_TERMS, force=True)
    assert refused.value.details.endswith("status 507: no space left")
    assert forge.files("v1") == {name: b"old"}


def test_an_upload_that_broke_is_cleared_away(parcel: Parcel) -> None:
    """GitHub keeps its name."""
    name = parcel.identity.file_name
    with upload_forge(Forge.GITHUB) as forge:
        forge.add_file(forge.add_release("v1"), name, b"", state="starter")
        site = ReleaseSite(
            forge=Forge.GITHUB, repository="owner/tools", url=forge.url, token="${MINE}", tag="v1"
        )
        publish(site, parcel, terms=_TERMS)
        assert forge.files("v1") == {name: parcel.archive.read_bytes()}


def test_tokens(forge: UploadForge, site: ReleaseSite, parcel: Parcel) -> None:
    for environment, said in (({}, "needs a token; set "), ({"MINE": "wrong horse"}, "status 401")):
        with pytest.raises(ArtifactError) as refused:
            publish(site, parcel, terms=Terms(environment=environment, retries=0))
        assert said in refused.value.details
        assert "wrong horse" not in str(refused.value)


@pytest.mark.parametrize("answer", [b"no JSON", b"[]", b'{"id": 1}', b'{"assets": []}'])
def test_answers_that_make_no_sense(
    forge: UploadForge, site: ReleaseSite, parcel: Parcel, answer: bytes
) -> None:
    forge.refusals["GET"] = (200, answer)
    with pytest.raises(ArtifactError, match="cannot be published") as refused:
        publish(site, parcel, terms=_TERMS)
    assert refused.value.details
    assert refused.value.details.count("\n") == 0
