"""One suite for all kinds of sites: what each does, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from artifact_sites import SUBJECTS, Subject, archive_of, candidates, open_subject
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.sites.base import NotThereError, SiteError, Terms
from lapstrake.progress import Silent
from parcels import identity_of

_IDENTITY = identity_of()


@pytest.fixture(params=SUBJECTS)
def subject(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Subject]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with open_subject(request.param, tmp_path / "site") as subject:
        yield subject


def get(subject: Subject, target: Path, terms: Terms | None = None) -> bytes:
    """What the first place that has it gives; the errors of the last one."""
    places = candidates(subject.described, _IDENTITY)
    for place in places:
        try:
            place.get(target, terms or subject.terms(), Silent())
        except SiteError:
            if place is places[-1]:
                raise
        else:
            return target.read_bytes()
    raise AssertionError("there is no place to look at")


def other(**changes: str) -> Identity:
    facts = {
        "package": _IDENTITY.package,
        "host": _IDENTITY.host,
        "version": _IDENTITY.version,
        "checksum": _IDENTITY.checksum,
        "suffix": _IDENTITY.suffix,
    }
    return Identity(**{**facts, **changes})


def test_an_archive_is_got(subject: Subject, tmp_path: Path) -> None:
    data = archive_of(_IDENTITY)
    subject.publish(_IDENTITY.file_name, data)
    assert get(subject, tmp_path / "got") == data


def test_planning_asks_nobody(subject: Subject) -> None:
    before = list(subject.server.requests) if subject.server else []
    places = candidates(subject.described, _IDENTITY)
    assert all("s3cret" not in place.where and "s3same" not in place.where for place in places)
    assert not subject.server or subject.server.requests == before


def test_it_says_what_is_missing(subject: Subject, tmp_path: Path) -> None:
    subject.publish(other(checksum="F" * 64).file_name, b"other inputs")
    subject.publish(other(checksum="F" * 64, version="0.9").file_name, b"other version")
    with pytest.raises(NotThereError) as missing:
        get(subject, tmp_path / "got")
    if subject.name != "url":  # a web server tells nobody what it has
        assert "version 1.2.0+rc1 made from other inputs: checksum FFFFFFF" in str(missing.value)
    assert not (tmp_path / "got").exists()


def test_it_says_which_hosts_it_has_it_for(subject: Subject, tmp_path: Path) -> None:
    subject.publish(other(host="darwin_arm").file_name, b"for others")
    with pytest.raises(NotThereError) as missing:
        get(subject, tmp_path / "got")
    if subject.name != "url":
        assert "for darwin_arm, not for linux_x86_64" in str(missing.value)


def test_a_download_is_gone_on_with(subject: Subject, tmp_path: Path) -> None:
    data = archive_of(_IDENTITY)
    subject.publish(_IDENTITY.file_name, data)
    (tmp_path / "got").write_bytes(data[:100])
    assert get(subject, tmp_path / "got") == data
    if subject.server is not None:
        ranges = [headers.get("Range") for _, headers in subject.server.requests]
        assert "bytes=100-" in ranges


def test_offline(subject: Subject, tmp_path: Path) -> None:
    data = archive_of(_IDENTITY)
    subject.publish(_IDENTITY.file_name, data)
    terms = subject.terms(offline=True)
    if subject.server is None:
        assert get(subject, tmp_path / "got", terms) == data
        return
    with pytest.raises(SiteError, match="--offline"):
        get(subject, tmp_path / "got", terms)
    assert subject.server.requests == []


def test_too_large(subject: Subject, tmp_path: Path) -> None:
    subject.publish(_IDENTITY.file_name, b"x" * 1000)
    with pytest.raises(SiteError, match=r"larger than 999 bytes|999 are the most"):
        get(subject, tmp_path / "got", subject.terms(largest=999))
