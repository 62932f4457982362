"""Local servers that behave like the sites of artifacts: web folders, GitHub, Gitea."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lapstrake.artifact.base import (
    FolderSite,
    Forge,
    OciSite,
    Package,
    PackageType,
    ReleaseSite,
    UrlSite,
)
from lapstrake.artifact.base import Site as ArtifactSite
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.sites.base import Candidate, Terms
from lapstrake.artifact.sites.registry import KIND
from lapstrake.artifact.sites.resolve import plan
from lapstrake.names import Digest
from lapstrake.oci.descriptors import Descriptor
from lapstrake.oci.file_artifact import FileArtifact, tag_of, write_manifest
from webserver import Answer, Request, Site, resumable, running_site, serve

REPOSITORY = "owner/tools"


def archive_of(identity: Identity, content: bytes = b"hello\n") -> bytes:
    """An archive that holds an artifact with one file ``hello``."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo(f"{identity.download_name}/hello")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def candidates(
    site: ArtifactSite, identity: Identity, folder: Path = Path("/nowhere")
) -> tuple[Candidate, ...]:
    """The places of a site for a package in a folder."""
    package = Package(
        name=identity.package, type=PackageType.PACKAGE, version=identity.version, folder=folder
    )
    return plan(site, identity, package)


def redirect(to: str, status: int = 302) -> Answer:
    return lambda request: request.reply(b"", status, Location=to)


def only_with(header: str, value: str, answer: Answer, status: int = 404) -> Answer:
    """Answer those who send a header; the others get a status."""

    def judge(request: Request) -> None:
        if request.headers.get(header) == value:
            answer(request)
        else:
            request.reply(b"{}", status)

    return judge


def document(value: Any) -> Answer:
    body = json.dumps(value).encode()
    return lambda request: request.reply(body, Content_Type="application/json")


def limited(reset: int) -> Answer:
    """GitHub's answer to who asked too often."""
    return lambda request: request.reply(
        b"{}", 403, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(reset)
    )


@dataclass
class FakeForge:
    """A forge with one release of `REPOSITORY`.

    Attributes:
        site: the server.
        forge: whose behaviour.
        files: the release's.
        token: needed for everything, as of a private repository; empty for none.
    """

    site: Site
    forge: Forge
    files: dict[str, bytes] = field(default_factory=dict)
    token: str = ""
    tag: str = "v1.2.0+rc1"

    @property
    def api(self) -> str:
        root = "/api/v3" if self.forge is Forge.GITHUB else "/api/v1"
        return f"{root}/repos/{REPOSITORY}/releases/tags/{quote(self.tag, safe='')}"

    @property
    def authorization(self) -> str:
        return f"{'Bearer' if self.forge is Forge.GITHUB else 'token'} {self.token}"

    def described(self, **more: Any) -> ReleaseSite:
        """The release as a site."""
        return ReleaseSite(forge=self.forge, repository=REPOSITORY, url=self.site.url, **more)

    def public(self, name: str) -> str:
        tag = quote(self.tag, safe="")
        return f"/{REPOSITORY}/releases/download/{tag}/{quote(name, safe='')}"

    def publish(self, name: str, data: bytes, *, digest: str = "") -> None:
        """Add a file to the release."""
        self.files[name] = data
        answer = resumable(data)
        if self.token:
            self.site.put(self.public(name), only_with("Authorization", self.authorization, answer))
        else:
            self.site.put(self.public(name), answer)
        assets = []
        for number, (each, body) in enumerate(self.files.items(), start=1):
            path = f"/assets/{number}"
            asset = {"name": each, "digest": digest or f"sha256:{hashlib.sha256(body).hexdigest()}"}
            if self.forge is Forge.GITHUB:
                asset["url"] = self.site.url + path
                self._guard(path, only_with("Accept", "application/octet-stream", resumable(body)))
            else:
                asset["browser_download_url"] = self.site.url + self.public(each)
            assets.append(asset)
        self._guard(self.api, document({"tag_name": self.tag, "assets": assets}))

    def _guard(self, path: str, answer: Answer) -> None:
        if self.token:
            answer = only_with("Authorization", self.authorization, answer)
        self.site.put(path, answer)


@dataclass
class FakeRegistry:
    """An OCI registry with one repository.

    Attributes:
        site: the server.
        tags: the repository's.
    """

    site: Site
    tags: list[str] = field(default_factory=list)

    @property
    def described(self) -> OciSite:
        """The repository as a site."""
        return OciSite(repository=f"{self.site.url.removeprefix('http://')}/tools")

    def publish(self, name: str, data: bytes) -> None:
        """Add a file as an artifact."""
        digest = Digest("sha256", hashlib.sha256(data).hexdigest())
        file = Descriptor(media_type="application/gzip", digest=digest, size=len(data))
        artifact = FileArtifact(kind=KIND, title=name, file=file, annotations={})
        self.tags.append(tag_of(name.partition(".tar.")[0]))
        body = write_manifest(artifact)
        self.site.put("/v2/", serve(b"{}"))
        self.site.put(f"/v2/tools/manifests/{self.tags[-1]}", serve(body))
        self.site.put(f"/v2/tools/blobs/{digest}", resumable(data))
        self.site.put("/v2/tools/tags/list?n=1000", document({"tags": self.tags}))


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One kind of site, to be filled and asked.

    Attributes:
        name: of the kind.
        described: the site as a manifest has it.
        environment: what must be set to ask it.
    """

    name: str
    described: ArtifactSite
    environment: Mapping[str, str] = field(default_factory=dict)
    server: Site | None = None
    folder: Path | None = None
    forge: FakeForge | None = None
    registry: FakeRegistry | None = None

    def publish(self, name: str, data: bytes) -> None:
        """Put a file where the site has its files."""
        if self.folder is not None:
            (self.folder / name).write_bytes(data)
        elif self.forge is not None:
            self.forge.publish(name, data)
        elif self.registry is not None:
            self.registry.publish(name, data)
        elif self.server is not None:
            self.server.put(f"/files/{quote(name, safe='')}?key=s3same", resumable(data))

    def terms(self, **more: Any) -> Terms:
        """Quick ones."""
        return quick_terms(environment=dict(self.environment), **more)


def quick_terms(**more: Any) -> Terms:
    """Terms under which attempts follow each other at once."""
    return Terms(**{"timeout": 5.0, "retries": 2, "pause": 0.0, **more})


SUBJECTS = ("url", "folder", "file", "github", "github-api", "gitea", "gitea-api", "oci")
"""The kinds that need nothing but this file."""


@contextmanager
def open_subject(name: str, folder: Path) -> Iterator[Subject]:
    """A site of a kind, empty but for what makes it one."""
    if name in ("folder", "file"):
        folder.mkdir(exist_ok=True)
        site = FolderSite(path=folder) if name == "folder" else UrlSite(url=folder.as_uri())
        yield Subject(name=name, described=site, folder=folder)
        return
    with running_site() as server:
        if name == "url":
            described = UrlSite(url=f"{server.url}/files/", query={"key": "${KEY}"})
            yield Subject(
                name=name, described=described, environment={"KEY": "s3same"}, server=server
            )
            return
        if name == "oci":
            registry = FakeRegistry(server)
            yield Subject(name=name, described=registry.described, server=server, registry=registry)
            return
        kind, _, api = name.partition("-")
        forge = FakeForge(site=server, forge=Forge(kind), token="s3cret" if api else "")
        forge.publish("README", b"read me")
        yield Subject(
            name=name,
            described=forge.described(api=bool(api), token="${KEY}"),
            environment={"KEY": "s3cret"} if api else {},
            forge=forge,
            server=server,
        )
