"""Artifacts in registries: Debian's, our own, and ones that misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from distribution import PASSWORD, USER, lacks_distribution, running_distribution
from lapstrake.artifact.base import OciSite
from lapstrake.artifact.publishing.base import Parcel
from lapstrake.artifact.publishing.registry import artifact_of
from lapstrake.artifact.sites.base import NotThereError, SiteError, Terms
from lapstrake.artifact.sites.registry import plan_registry
from lapstrake.errors import ArtifactError, RegistryError
from lapstrake.host.process import find_program
from lapstrake.oci.file_artifact import write_manifest
from lapstrake.progress import Silent
from parcels import identity_of, parcel_of, publish
from registry_gate import breaking_door, token_gate
from registry_server import served
from webserver import Answer, Site, cut, fail, resumable, running_site, serve

_DATA = os.urandom(3 << 20)


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without credentials."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def ours(memory: Path) -> Iterator[str]:
    """``HOST:PORT`` of our own registry."""
    with served(memory / "artifacts-ours") as running:
        yield running.host


@pytest.fixture(scope="module")
def debians(memory: Path) -> Iterator[str]:
    """``HOST:PORT`` of Debian's registry."""
    if lack := lacks_distribution():
        pytest.skip(lack)
    with running_distribution(memory / "artifacts-debians") as address:
        yield address


@pytest.fixture(scope="module", params=["ours", "debians"])
def registry(request: pytest.FixtureRequest) -> str:
    """``HOST:PORT`` of a registry that lets everybody in: both."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def parcel(tmp_path: Path) -> Parcel:
    return parcel_of(tmp_path / "made", _DATA)


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


def get(repository: str, parcel: Parcel, target: Path, terms: Terms | None = None) -> bytes:
    """Get a parcel's archive out of a repository."""
    (place,) = plan_registry(OciSite(repository=repository), parcel.identity)
    place.get(target, terms or Terms(pause=0.0), Silent())
    return target.read_bytes()


def test_published_and_found(registry: str, parcel: Parcel, tmp_path: Path) -> None:
    name = f"{registry}/push/tools"
    site = OciSite(repository=name)
    tag = "fish-linux_x86_64-1.2.0_rc1-E3B0C44"
    assert publish(site, parcel) == f"oci:{name}:{tag} published"
    assert publish(site, parcel) == f"oci:{name}:{tag} is there already"
    told: list[tuple[int, int]] = []
    terms = Terms(on_bytes=lambda done, total: told.append((done, total)))
    assert get(name, parcel, tmp_path / "got", terms) == _DATA
    assert told[-1] == (len(_DATA), len(_DATA))
    other = parcel_of(tmp_path / "other", b"other bytes")
    with pytest.raises(ArtifactError, match="is there already, and is something else") as refused:
        publish(site, other)
    assert parcel.sha256 in refused.value.details
    assert get(name, parcel, tmp_path / "again") == _DATA
    assert publish(site, other, force=True).endswith("replaced")
    assert get(name, parcel, tmp_path / "new") == b"other bytes"


def test_other_clients_get_it_too(registry: str, parcel: Parcel, tmp_path: Path) -> None:
    if find_program("skopeo") is None:
        pytest.skip("skopeo is not installed")
    publish(OciSite(repository=f"{registry}/push/copied"), parcel)
    source = f"docker://{registry}/push/copied:fish-linux_x86_64-1.2.0_rc1-E3B0C44"
    argv = ["skopeo", "copy", "--src-tls-verify=false", source, f"dir:{tmp_path}/copy"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy" / parcel.sha256).read_bytes() == _DATA


def test_not_there(registry: str, tmp_path: Path) -> None:
    name = f"{registry}/push/few"
    wanted = parcel_of(tmp_path, b"", identity_of(inputs=b"others"))
    with pytest.raises(NotThereError, match="it has nothing of fish"):
        get(name, wanted, tmp_path / "got")
    publish(OciSite(repository=name), parcel_of(tmp_path, b"x", identity_of(version="1.2.0+rc1")))
    with pytest.raises(NotThereError, match=r"no such tag; .*E3B0C44"):
        get(name, wanted, tmp_path / "got")


def test_names_that_are_made_take_no_artifacts(ours: str, parcel: Parcel) -> None:
    """Our registry keeps ``push/`` apart from the names that it makes images for."""
    with pytest.raises(RegistryError) as refused:
        publish(OciSite(repository=f"{ours}/tools"), parcel)
    assert "DENIED" in refused.value.details


def log_in(nobody: Path, host: str, password: str = PASSWORD) -> None:
    pair = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (nobody / "docker").mkdir(exist_ok=True)
    (nobody / "docker/config.json").write_text(json.dumps({"auths": {host: {"auth": pair}}}))


def test_token_server(registry: str, parcel: Parcel, nobody: Path, tmp_path: Path) -> None:
    with token_gate(registry, user=USER, password=PASSWORD) as gate:
        name = f"{gate.address}/push/tokens"
        with pytest.raises(SiteError, match="in without credentials: Log in with docker"):
            get(name, parcel, tmp_path / "got")
        log_in(nobody, gate.address, "wrong horse")
        with pytest.raises(SiteError, match=f"does not let us in as {USER}") as refused:
            get(name, parcel, tmp_path / "got")
        assert "wrong horse" not in str(refused.value)
        log_in(nobody, gate.address)
        publish(OciSite(repository=name), parcel)
        assert "repository:push/tokens:pull,push" in gate.asked[-1]
        assert get(name, parcel, tmp_path / "got") == _DATA
        assert "repository:push/tokens:pull" in gate.asked[-1]
        assert "repository:push/tokens:pull,push" not in gate.asked[-1]


def test_passwords_of_our_own(parcel: Parcel, nobody: Path, tmp_path: Path) -> None:
    """Our registry lets everybody get, and only those with a password publish."""
    secret = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (tmp_path / "htpasswd").write_text(f"{USER}:{secret}\n")
    settings = (f"registry.htpasswd={tmp_path}/htpasswd", "registry.anonymous_pull=true")
    with served(tmp_path / "registry", settings=settings) as running:
        name = f"{running.host}/push/ours"
        with pytest.raises(RegistryError) as refused:
            publish(OciSite(repository=name), parcel)
        assert "docker login" in refused.value.resolution
        log_in(nobody, running.host)
        publish(OciSite(repository=name), parcel)
        (nobody / "docker/config.json").unlink()
        assert get(name, parcel, tmp_path / "got") == _DATA


def test_publishing_goes_on_where_it_broke(registry: str, parcel: Parcel, tmp_path: Path) -> None:
    with breaking_door(registry, 1 << 20, 1 << 20) as door:
        publish(OciSite(repository=f"{door.address}/push/broken"), parcel)
        assert door.cuts == []
    assert get(f"{registry}/push/broken", parcel, tmp_path / "got") == _DATA


class Fake:
    """A registry with one artifact, whose blob is answered as a test wants."""

    def __init__(self, site: Site, parcel: Parcel, *answers: Answer) -> None:
        self.site = site
        self.name = f"{site.url.removeprefix('http://')}/a"
        manifest = write_manifest(artifact_of(parcel))
        (place,) = plan_registry(OciSite(repository=self.name), parcel.identity)
        self.manifest = f"/v2/a/manifests/{place.tag}"
        self.blob = f"/v2/a/blobs/sha256:{parcel.sha256}"
        site.put("/v2/", serve(b"{}"))
        site.put(self.manifest, serve(manifest))
        site.put(self.blob, *answers)

    def ranges(self) -> list[str]:
        """The ranges of the blob that were asked for."""
        return [h.get("Range", "") for path, h in self.site.requests if path == self.blob]


def test_broken_transfers_go_on(site: Site, parcel: Parcel, tmp_path: Path) -> None:
    half = len(_DATA) // 2
    fake = Fake(site, parcel, cut(_DATA, half), fail(503), resumable(_DATA))
    assert get(fake.name, parcel, tmp_path / "got") == _DATA
    assert fake.ranges() == ["", f"bytes={half}-", f"bytes={half}-"]


def test_an_earlier_run_is_gone_on_with(site: Site, parcel: Parcel, tmp_path: Path) -> None:
    fake = Fake(site, parcel, resumable(_DATA))
    (tmp_path / "got").write_bytes(_DATA[:1000])
    assert get(fake.name, parcel, tmp_path / "got") == _DATA
    (tmp_path / "got").write_bytes(b"something else")
    assert get(fake.name, parcel, tmp_path / "got") == _DATA
    assert fake.ranges() == ["bytes=1000-", "bytes=14-", ""]


def test_no_ranges(site: Site, parcel: Parcel, tmp_path: Path) -> None:
    fake = Fake(site, parcel, cut(_DATA, 1000), serve(_DATA))
    assert get(fake.name, parcel, tmp_path / "got") == _DATA


def test_broken_too_often(site: Site, parcel: Parcel, tmp_path: Path) -> None:
    fake = Fake(site, parcel, cut(_DATA, 1000))
    with pytest.raises(SiteError, match="getting sha256:"):
        get(fake.name, parcel, tmp_path / "got", Terms(retries=1, pause=0.0))
    assert len(fake.ranges()) == 2
    assert (tmp_path / "got").read_bytes() == _DATA[:1000]


def test_a_registry_that_lies(site: Site, parcel: Parcel, tmp_path: Path) -> None:
    lie = bytes(len(_DATA))
    fake = Fake(site, parcel, serve(lie))
    with pytest.raises(SiteError, match="what came is not what its digest says"):
        get(fake.name, parcel, tmp_path / "got")
    assert not (tmp_path / "got").exists()
    site.put(fake.blob, serve(_DATA + b"more"))
    with pytest.raises(SiteError, match=f"more than {len(_DATA)} bytes came"):
        get(fake.name, parcel, tmp_path / "got")
    digest = "sha256:" + hashlib.sha256(b"other").hexdigest()
    site.put(fake.manifest, serve(b"{}", Docker_Content_Digest=digest))
    with pytest.raises(SiteError, match=r"the manifest .* what came is not what its digest says"):
        get(fake.name, parcel, tmp_path / "got")


def test_a_registry_that_hangs(site: Site, parcel: Parcel, tmp_path: Path) -> None:
    fake = Fake(site, parcel, site.hang(_DATA[:1000]))
    with pytest.raises(SiteError, match="timed out"):
        get(fake.name, parcel, tmp_path / "got", Terms(timeout=0.2, retries=0))
    site.put(fake.manifest, site.hang())
    with pytest.raises(SiteError, match="timed out"):
        get(fake.name, parcel, tmp_path / "got", Terms(timeout=0.2, retries=0))


def test_the_archive_may_lie_elsewhere(
    site: Site, parcel: Parcel, nobody: Path, tmp_path: Path
) -> None:
    """As in a cloud: the registry redirects, and only the registry sees who we are."""
    with running_site() as cloud:
        place = cloud.put("/blob", resumable(_DATA))
        fake = Fake(site, parcel, lambda request: request.reply(b"", 307, Location=place))
        challenge = {"WWW_Authenticate": 'Basic realm="r"'}
        site.put("/v2/", fail(401, **challenge), serve(b"{}"))
        log_in(nobody, site.url.removeprefix("http://"))
        assert get(fake.name, parcel, tmp_path / "got") == _DATA
        assert "Authorization" in dict(site.requests)[fake.blob]
        assert "Authorization" not in dict(cloud.requests)["/blob"]


@pytest.mark.parametrize(
    "manifest, said",
    [
        (b"[]", "no manifest"),
        (b"[" * 100_000, "no manifest"),
        (b"{}", "does not have exactly one file"),
        (b'{"layers": [1]}', "is malformed"),
        (b'{"layers": [{"mediaType": "a", "digest": "sha256:1", "size": 1}]}', "is malformed"),
        (
            b'{"layers": [{"mediaType": "a", "digest": "sha256:%s", "size": -1}]}' % (b"0" * 64),
            "is malformed",
        ),
    ],
)
def test_manifests_that_are_none(
    site: Site, parcel: Parcel, tmp_path: Path, manifest: bytes, said: str
) -> None:
    fake = Fake(site, parcel, serve(b""))
    site.put(fake.manifest, serve(manifest))
    with pytest.raises(SiteError, match=said):
        get(fake.name, parcel, tmp_path / "got")


def test_tags_of_other_files(site: Site, parcel: Parcel, tmp_path: Path) -> None:
    fake = Fake(site, parcel, serve(_DATA))
    other = parcel_of(tmp_path / "other", _DATA, identity_of("bird"))
    site.put(fake.manifest, serve(write_manifest(artifact_of(other))))
    with pytest.raises(NotThereError, match=r"the tag is of another file: 'bird-"):
        get(fake.name, parcel, tmp_path / "got")
    site.put(fake.manifest, serve(write_manifest(artifact_of(parcel))))
    with pytest.raises(SiteError, match="it has 3145728 bytes, 1000 are the most"):
        get(fake.name, parcel, tmp_path / "got", Terms(largest=1000))


def test_tags_come_in_pages(site: Site, parcel: Parcel, tmp_path: Path) -> None:
    fake = Fake(site, parcel, serve(_DATA))
    site.put(fake.manifest, fail(404))
    first = json.dumps({"tags": ["ant", "fish-linux_x86_64-0.9-0000000"]}).encode()
    second = json.dumps({"tags": ["fish-linux_x86_64-1.0-1111111"]}).encode()
    more = {"Link": "</v2/a/tags/list>; rel=next"}
    site.put("/v2/a/tags/list?n=1000", serve(first, **more))
    site.put("/v2/a/tags/list?n=1000&last=fish-linux_x86_64-0.9-0000000", serve(second, **more))
    site.put("/v2/a/tags/list?n=1000&last=fish-linux_x86_64-1.0-1111111", serve(second, **more))
    with pytest.raises(NotThereError, match=r"it has fish-.*0000000, fish-.*1111111"):
        get(fake.name, parcel, tmp_path / "got")
    for nonsense in (b"[]", b'{"tags": null}', b'{"tags": 7}', b"no JSON"):
        site.put("/v2/a/tags/list?n=1000", serve(nonsense))
        with pytest.raises(NotThereError, match="it has nothing of fish"):
            get(fake.name, parcel, tmp_path / "got")


def test_a_registry_that_wants_to_be_left_alone(site: Site, parcel: Parcel, tmp_path: Path) -> None:
    fake = Fake(site, parcel, fail(429, Retry_After="1"), serve(_DATA))
    before = time.monotonic()
    assert get(fake.name, parcel, tmp_path / "got") == _DATA
    assert time.monotonic() - before >= 1


def test_sites_that_name_no_repository(parcel: Parcel) -> None:
    for repository, said in (
        ("nowhere", "has an empty part"),
        ("a b/c", "is no host"),
        ("host/UP", "upper-case"),
        ("u:p@host/a", "is no host"),
    ):
        with pytest.raises(SiteError, match=said):
            plan_registry(OciSite(repository=repository), parcel.identity)


def test_offline(parcel: Parcel, tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="may not be used"):
        get("nowhere.invalid/a", parcel, tmp_path / "got", Terms(offline=True))
