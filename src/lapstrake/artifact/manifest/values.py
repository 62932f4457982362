"""From the model of a ``lapstrake.toml``, which pydantic has checked, to our own values."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lapstrake.artifact.base import (
    BucketSite,
    Dependency,
    Firmware,
    FolderSite,
    Forge,
    OciSite,
    Package,
    PackageType,
    Platform,
    ReleaseSite,
    RunnerSpec,
    Site,
    SshAccess,
    UrlSite,
)
from lapstrake.artifact.manifest.base import Manifest, Override
from lapstrake.host.toml_file import TomlFile
from lapstrake.names import Digest, GuestPath
from lapstrake.source.spec import SourceKind, SourceSpec, Submodules

if TYPE_CHECKING:
    from lapstrake.artifact.manifest.model import (
        DependencyTable,
        FirmwareTable,
        PackageManifest,
        PlatformTable,
        ProjectManifest,
        RunnerTable,
    )
    from lapstrake.artifact.manifest.model_sites import SiteTable
    from lapstrake.config.tables import Commands


def package_manifest(model: PackageManifest, toml: TomlFile) -> Manifest:
    """The values of a manifest with a package."""
    table = model.package
    folder = toml.path.parent
    package = Package(
        name=table.name,
        type=PackageType(table.type),
        version=table.version or "",
        folder=folder,
        target=table.target or "",
        platform=_platform(model.platform) if model.platform else None,
        runner=_runner(model.runner),
        checksum=tuple(table.checksum),
        sites=tuple(_site(site, folder) for site in model.site),
        env=model.env,
        dependencies=_dependencies(model, toml),
        digests=model.digests,
        file=toml.path,
    )
    return Manifest(
        name=package.name,
        version=package.version,
        target=package.target,
        folder=folder,
        file=toml.path,
        package=package,
        version_file=table.version_file or "",
        dependencies=package.dependencies,
        overrides=_overrides(model, toml),
    )


def project_manifest(model: ProjectManifest, toml: TomlFile) -> Manifest:
    """The values of a manifest with an application."""
    return Manifest(
        name=model.project.name,
        version=model.project.version,
        target=model.project.target or "",
        folder=toml.path.parent,
        file=toml.path,
        env=model.env,
        dependencies=_dependencies(model, toml),
        overrides=_overrides(model, toml),
        firmware=_firmware(model.firmware),
    )


def _platform(table: PlatformTable) -> Platform:
    return Platform(
        name=table.name or "",
        package=table.package or "",
        defconfig=table.defconfig or "",
        prepare=_script(table.prepare),
        build=_script(table.build),
        archive=_script(table.archive),
        environment=_script(table.environment),
        output=table.output or "",
    )


def _script(commands: Commands | None) -> str:
    if commands is None or isinstance(commands, str):
        return commands or ""
    return "\n".join(each if isinstance(each, str) else shlex.join(each) for each in commands)


def _runner(table: RunnerTable) -> RunnerSpec:
    return RunnerSpec(
        name=table.name or "",
        make_args=tuple(table.make_args),
        engine=table.engine or "",
        dockerfile=table.docker.dockerfile or "",
        tag=table.docker.tag or "",
        branch=table.branch or "",
        packages=tuple(table.packages),
        cpus=table.cpus,
        memory=table.memory,
        volumes={name: GuestPath(place) for name, place in table.volumes.items()},
        network=table.network,
        ssh=SshAccess(table.ssh),
    )


def _site(table: SiteTable, folder: Path) -> Site:
    address: str = getattr(table, table.kind)
    match table.kind:
        case "url":
            parts = urlsplit(address)
            if parts.scheme == "file":
                return FolderSite(path=Path(unquote(parts.path)))
            return UrlSite(url=address.rstrip("/"), headers=table.headers, query=table.query)
        case "folder":
            return FolderSite(path=host_path(address, folder))
        case "oci":
            return OciSite(repository=address, plain=table.plain)
        case "bucket":
            return BucketSite(url=address.rstrip("/"))
        case "github":
            forge, url, repository = Forge.GITHUB, table.server or "", address
        case _:
            forge = Forge.GITEA
            host, owner, name = address.rsplit("/", 2)
            url, repository = host if "://" in host else f"https://{host}", f"{owner}/{name}"
    return ReleaseSite(
        forge=forge, repository=repository, tag=table.tag or "", url=url.rstrip("/"),
        api=table.api, token=table.token or "",
    )  # fmt: skip


def host_path(text: str, folder: Path) -> Path:
    """A path as a manifest writes it: relative to its folder, ``~`` is the user's home."""
    home = text == "~" or text.startswith("~/")
    path = Path.home() / text[2:] if home else Path(text)
    return folder / path


def _dependencies(
    model: PackageManifest | ProjectManifest, toml: TomlFile
) -> tuple[Dependency, ...]:
    return tuple(
        Dependency(name=name, source=source, folder=table.folder or "", build=table.build)
        for name, table in model.dependencies.items()
        if (source := _source(name, table, toml, "dependencies")) is not None
    )


def _overrides(model: PackageManifest | ProjectManifest, toml: TomlFile) -> tuple[Override, ...]:
    return tuple(
        Override(
            name=name,
            source=_source(name, table, toml, "overrides"),
            folder=table.folder or "",
            build=table.build,
            ssh=table.ssh or "",
        )
        for name, table in model.overrides.items()
    )


def _source(
    name: str, table: DependencyTable, toml: TomlFile, section: str
) -> Path | SourceSpec | None:
    folder = toml.path.parent
    if table.path is not None:
        return host_path(table.path, folder)
    origin = toml.where((section, name))
    if table.git is not None:
        return SourceSpec(
            kind=SourceKind.GIT,
            url=_address(table.git, folder),
            name=name,
            revision=table.revision or table.tag or "",
            branch=table.branch or "",
            submodules=Submodules.RECURSIVE if table.submodules else Submodules.NONE,
            origin=origin,
        )
    if table.url is not None:
        return SourceSpec(
            kind=SourceKind.ARCHIVE,
            url=_address(table.url, folder),
            name=name,
            digest=Digest("sha256", table.sha256 or ""),
            origin=origin,
        )
    return None


def _address(text: str, folder: Path) -> str:
    """A URL as it is; a path of this host as a URL."""
    is_path = text.startswith(("/", "./", "../", "~/"))
    return host_path(text, folder).resolve().as_uri() if is_path else text


def _firmware(table: FirmwareTable) -> Firmware:
    texts = {
        key: getattr(table, key) or ""
        for key in (
            "release", "config", "priorities", "post_script", "output", "product", "description",
            "author",
        )
    }  # fmt: skip
    return Firmware(
        **texts, overlays=tuple(table.overlays), squashfs_flags=tuple(table.squashfs_flags)
    )
