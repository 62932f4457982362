"""Where something is published to, as users write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.artifact.base import (
    BucketSite,
    FolderSite,
    Forge,
    OciSite,
    Package,
    PackageType,
    ReleaseSite,
    Site,
    UrlSite,
)
from lapstrake.artifact.publishing.target import target_site
from lapstrake.errors import UsageError

_WEB = UrlSite(url="https://a.example/x")
_BUCKET = BucketSite(url="s3://a/b")


def package(*sites: Site) -> Package:
    return Package(
        name="words", type=PackageType.PACKAGE, version="1", folder=Path("/p"), sites=sites
    )


@pytest.mark.parametrize(
    "text, site",
    [
        ("oci:localhost:5000/push/a", OciSite(repository="localhost:5000/push/a")),
        ("s3://bucket/a/b/", BucketSite(url="s3://bucket/a/b")),
        ("gs://bucket", BucketSite(url="gs://bucket")),
        ("/var/www", FolderSite(path=Path("/var/www"))),
        ("2", _BUCKET),
        ("3", FolderSite(path=Path("/srv/a b"))),
        ("", _BUCKET),
        ("github:me/words", ReleaseSite(forge=Forge.GITHUB, repository="me/words")),
        ("github:me/words@v2", ReleaseSite(forge=Forge.GITHUB, repository="me/words", tag="v2")),
        (
            "gitea:https://git.example:3000/me/words",
            ReleaseSite(forge=Forge.GITEA, repository="me/words", url="https://git.example:3000"),
        ),
    ],
)
def test_targets(text: str, site: Site) -> None:
    ours = package(_WEB, _BUCKET, UrlSite(url="file:///srv/a%20b"))
    assert target_site(text, ours) == site


def test_a_folder_is_relative_to_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert target_site("out/x", package()) == FolderSite(path=tmp_path / "out/x")


def test_plain_is_of_registries() -> None:
    assert target_site("oci:a.example/b", package(), plain=True) == OciSite(
        repository="a.example/b", plain=True
    )


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "words has no site to which something can be published"),
        ("0", "no site number 0, but 1 sites"),
        ("2", "no site number 2"),
        ("https://a.example/x", "nothing can be put on https://a.example/x"),
        ("github:me", "'github:me' names no releases"),
        ("github:a/b/c", "names no releases"),
        ("gitea:me/words", "names no releases"),
    ],
)
def test_nonsense(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        target_site(text, package(_WEB))
    assert said in refused.value.brief
