"""Reading the ``lapstrake.toml`` of packages and projects."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.artifact.base import (
    BucketSite,
    FolderSite,
    Forge,
    OciSite,
    Origin,
    Package,
    PackageType,
    ReleaseSite,
    Site,
    SshAccess,
    UrlSite,
)
from lapstrake.artifact.manifest.read import read_manifest, read_package
from lapstrake.artifact.manifest.schema import schema_text
from lapstrake.bundle import native
from lapstrake.errors import BundleError, ProjectError
from lapstrake.names import Arch, Digest, GuestPath
from lapstrake.source.spec import SourceKind
from pythons import said_by

HEAD = '[package]\nname = "nerves_system_x"\ntype = "system"\nversion = "1.2.3"\n'


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lapstrake.toml").write_text(text)
    return folder


def read(folder: Path, text: str) -> Package:
    return read_package(written(folder, text))


def refusal(folder: Path, text: str) -> ProjectError:
    with pytest.raises(ProjectError) as caught:
        read_manifest(written(folder, text))
    return caught.value


def test_a_whole_package(tmp_path: Path) -> None:
    (tmp_path / "defconfig").write_text("")
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "Dockerfile").write_text("")
    package = read(
        tmp_path,
        """
[package]
name = "nerves_system_x"
type = "system"
version = "1.2.3-rc.1+git"
target = "aarch64-unknown-linux-gnu"
checksum = ["VERSION", "defconfig", "rootfs_overlay", "patches/*.patch"]

[platform]
name = "buildroot"
package = "nerves_system_br"
defconfig = "defconfig"

[runner]
name = "docker"
make_args = ["V=1", "BR2_JLEVEL=4"]
engine = "podman"
docker = { dockerfile = "image/Dockerfile", tag = "mine:1" }
cpus = 2.5
memory = "8GiB"
volumes = { ccache = "/var/cache/ccache" }
network = false
ssh = "agent"

[env]
TARGET_GCC_FLAGS = "-mabi=lp64 ${NOT_FILLED_IN}"

[digests]
"nerves_system_x-portable-1.2.3-0123456.tar.gz" = "AAAA"

[dependencies.nerves_system_br]
git = "https://example.org/br.git"
tag = "v1.20.0"

[dependencies.toolchain_x]
url = "https://example.org/tc.tar.gz"
sha256 = "BBBB"
folder = "packages/tc"
build = true

[dependencies.tool]
path = "../tool"
""".replace("AAAA", "a" * 64).replace("BBBB", "b" * 64),
    )
    assert (package.name, package.type, package.version) == (
        "nerves_system_x",
        PackageType.SYSTEM,
        "1.2.3-rc.1+git",
    )
    assert package.target == "aarch64-unknown-linux-gnu"
    assert package.checksum == ("VERSION", "defconfig", "rootfs_overlay", "patches/*.patch")
    assert package.origin is Origin.PROJECT
    assert package.platform is not None
    assert (package.platform.name, package.platform.package) == ("buildroot", "nerves_system_br")
    runner = package.runner
    assert (runner.name, runner.engine, runner.tag) == ("docker", "podman", "mine:1")
    assert runner.make_args == ("V=1", "BR2_JLEVEL=4")
    assert (runner.cpus, runner.memory, runner.network) == (2.5, 8 << 30, False)
    assert runner.volumes == {"ccache": GuestPath("/var/cache/ccache")}
    assert runner.ssh is SshAccess.AGENT
    assert package.env == {"TARGET_GCC_FLAGS": "-mabi=lp64 ${NOT_FILLED_IN}"}
    assert list(package.digests.values()) == ["a" * 64]
    br, toolchain, tool = package.dependencies
    assert not isinstance(br.source, Path)
    assert (br.source.kind, br.source.revision) == (SourceKind.GIT, "v1.20.0")
    assert not isinstance(toolchain.source, Path)
    assert toolchain.source.digest == Digest("sha256", "b" * 64)
    assert (toolchain.folder, toolchain.build) == ("packages/tc", True)
    assert toolchain.source.origin.startswith(f"{tmp_path}/lapstrake.toml:")
    assert tool.source == tmp_path / "../tool"


def test_what_is_not_said(tmp_path: Path) -> None:
    package = read(tmp_path, HEAD)
    assert package.platform is None
    assert package.runner.network is None
    assert (package.sites, package.checksum, package.dependencies) == ((), (), ())


SITES: list[tuple[str, Site]] = [
    ('url = "https://example.org/a/"', UrlSite(url="https://example.org/a")),
    (
        'url = "http://h:8080/a"\nheaders = { X-Key = "${KEY}" }\nquery = { a = "b&${C}" }',
        UrlSite(url="http://h:8080/a", headers={"X-Key": "${KEY}"}, query={"a": "b&${C}"}),
    ),
    ('url = "file:///srv/with%20blank"', FolderSite(path=Path("/srv/with blank"))),
    ('folder = "/srv/x"', FolderSite(path=Path("/srv/x"))),
    ('folder = "~/x"', FolderSite(path=Path.home() / "x")),
    ('github = "a/b.c"', ReleaseSite(forge=Forge.GITHUB, repository="a/b.c")),
    (
        'github = "a/b"\nserver = "https://gh.example/"\ntag = "t"\napi = true\ntoken = "${T}"',
        ReleaseSite(
            forge=Forge.GITHUB,
            repository="a/b",
            url="https://gh.example",
            tag="t",
            api=True,
            token="${T}",
        ),
    ),
    (
        'gitea = "codeberg.org/o/n"',
        ReleaseSite(forge=Forge.GITEA, repository="o/n", url="https://codeberg.org"),
    ),
    (
        'gitea = "http://127.0.0.1:3000/git/o/n"',
        ReleaseSite(forge=Forge.GITEA, repository="o/n", url="http://127.0.0.1:3000/git"),
    ),
    ('oci = "h:5000/a/b"\nplain = true', OciSite(repository="h:5000/a/b", plain=True)),
    ('bucket = "s3://a-bucket/p/q/"', BucketSite(url="s3://a-bucket/p/q")),
    ('bucket = "gs://a-bucket"', BucketSite(url="gs://a-bucket")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "site"), SITES)
def test_sites(text: str, site: Site, tmp_path: Path) -> None:
    assert read(tmp_path, f"{HEAD}[[site]]\n{text}\n").sites == (site,)


def test_a_folder_of_a_site_is_relative_to_the_package(tmp_path: Path) -> None:
    package = read(tmp_path, f'{HEAD}[[site]]\nfolder = "../out"\n')
    assert package.sites == (FolderSite(path=tmp_path / "../out"),)


def test_sites_keep_their_order(tmp_path: Path) -> None:
    text = "".join(f"[[site]]\n{text}\n" for text, _ in SITES)
    assert read(tmp_path, HEAD + text).sites == tuple(site for _, site in SITES)


SHA = "c" * 64
WRONG: list[tuple[str, str]] = [
    # the package itself: rows A2, A3 of the specification
    ('[package]\nname = "x"\nversion = "1"\n', ":1: package: the key package.type is missing"),
    ('[package]\nname = "x"\ntype = "sytem"\nversion = "1"\n', ":3: package.type: must be"),
    ('[package]\ntype = "system"\nversion = "1"\n', ":1: the key package.name is missing"),
    (
        '[package]\nname = "x"\ntype = "system"\n',
        ":1: package: needs exactly one of version and version_file",
    ),
    (HEAD.replace("nerves_system_x", "Big"), ":2: package.name: 'Big' does not match"),
    (HEAD.replace("nerves_system_x", "../x"), ":2: package.name: '../x' does not match"),
    (HEAD.replace("nerves_system_x", "path"), ":1: package: path cannot be a name"),
    (HEAD.replace("1.2.3", "1/2"), ":4: package.version: '1/2' does not match"),
    (HEAD.replace('"1.2.3"', '"1\\n2"'), ":4: package.version: "),
    (HEAD.replace('"1.2.3"', "1.2"), ":4: package.version: must be a text"),
    (HEAD + 'sites = []\n', ":5: unknown key package.sites, did you mean [[site]]?"),
    (HEAD + 'checksums = []\n', ":5: unknown key package.checksums, did you mean checksum?"),
    (HEAD + 'checksum = ["a", "../b"]\n', ":5: package.checksum[2]: '../b' must be relative"),
    (HEAD + 'checksum = ["/etc"]\n', ":5: package.checksum[1]: '/etc' must be relative"),
    (HEAD + 'checksum = "a"\n', ":5: package.checksum: must be a list"),
    (HEAD + 'target = "arm linux"\n', ":5: package.target: 'arm linux' does not match"),
    (HEAD + 'description = "a\\u0000b"\n', ":5: package.description: the text has a zero"),
    # the platform: rows A4, A7
    (HEAD + '[platform]\nname = "meson"\n', ":6: platform.name: must be 'script' or 'buildroot'"),
    (HEAD + '[platform]\ndefconfig = "none"\n', ":6: platform.defconfig: there is no file 'none'"),
    (HEAD + '[platform]\nbuild = 1\n', ":6: platform.build: must be shell text"),
    (HEAD + '[runner]\nname = "lxc"\n', ":6: runner.name: must be 'docker', 'local' or 'root'"),
    (HEAD + '[runner]\nmake_args = "V=1"\n', ":6: runner.make_args: must be a list"),
    (HEAD + '[runner]\ndocker = "image:1"\n', ":6: runner.docker: must be a table"),
    (HEAD + '[runner]\ndocker = { image = "x" }\n', ":6: unknown key runner.docker.image"),
    (HEAD + '[runner]\ndocker = { dockerfile = "D" }\n', ":6: runner.docker: there is no file 'D'"),
    (HEAD + '[runner]\npackages = ["a >"]\n', ":6: runner.packages[1]: 'a >' is not one relation"),
    (HEAD + '[runner]\nmemory = "much"\n', ":6: runner.memory: 'much' is not a size"),
    (HEAD + '[runner]\ncpus = 0\n', ":6: runner.cpus: must be greater than 0"),
    (HEAD + '[runner]\ncpus = nan\n', ":6: runner.cpus: must be a finite number"),
    (HEAD + '[runner]\nvolumes = { a = "rel" }\n', ":6: runner.volumes.a: 'rel' does not match"),
    (
        HEAD.replace('"system"', '"system_platform"') + '[runner]\nname = "docker"\n',
        ":5: runner: a system_platform is not built",
    ),
    # sites: row D1
    (HEAD + "[[site]]\n", ":5: site[1]: needs exactly one of url, folder, github, "),
    (HEAD + '[[site]]\nurl = "https://a"\noci = "a/b"\n', ":5: site[1]: needs exactly one of"),
    (HEAD + '[[site]]\nurl = "ftp://a/b"\n', ":5: site[1]: url: 'ftp://a/b' is no URL of http"),
    (HEAD + '[[site]]\nurl = "https://me:pw@a/b"\n', ":5: site[1]: url: a name or password"),
    (HEAD + '[[site]]\nurl = "https://a:99999/b"\n', ":5: site[1]: url: "),
    (HEAD + '[[site]]\nurl = "https://a/${B}"\n', ":6: site[1].url: variables are filled in only"),
    (HEAD + '[[site]]\nurl = "https://a"\nheaders = { a = "${B" }\n', ":7: site[1].headers.a: "),
    (HEAD + '[[site]]\nurl = "https://a"\nheaders = { a = "b\\nc: d" }\n', ":7: site[1].headers"),
    (HEAD + '[[site]]\nurl = "https://a"\ntag = "b"\n', ":5: site[1]: tag does not go with url"),
    (HEAD + '[[site]]\ngithub = "a"\n', ":5: site[1]: github: 'a' is not such as"),
    (HEAD + '[[site]]\ngitea = "a/b"\n', ":5: site[1]: gitea: 'a/b' is not such as"),
    (HEAD + '[[site]]\noci = "https://a/b"\n', ":5: site[1]: oci: 'https://a/b' is not such as"),
    (HEAD + '[[site]]\nbucket = "a/b"\n', ":5: site[1]: bucket: 'a/b' is not such as"),
    (HEAD + '[[site]]\nrepo = "a"\n', ":6: unknown key site[1].repo"),
    # dependencies: rows A12, A13
    (HEAD + "[dependencies.b]\n", ":5: dependencies.b: needs exactly one of path, git, url"),
    (HEAD + '[dependencies]\nb = "1.0"\n', ":6: dependencies.b: must be a table"),
    (HEAD + '[dependencies.b]\ngit = "https://a/b"\n', ":5: dependencies.b: git needs either"),
    (
        HEAD + '[dependencies.b]\ngit = "https://a/b"\ntag = "v"\nrevision = "1"\n',
        ":5: dependencies.b: git needs either",
    ),
    (HEAD + '[dependencies.b]\nurl = "https://a/b"\n', ":5: dependencies.b: url needs sha256"),
    (HEAD + '[dependencies.b]\npath = "b"\ntag = "v"\n', ":5: dependencies.b: tag goes with git"),
    (HEAD + '[dependencies.b]\npath = "b"\nbuild = "yes"\n', ":7: dependencies.b.build: must"),
    (HEAD + '[dependencies.B]\npath = "b"\n', ":5: dependencies.B: 'B' does not match"),
    (
        HEAD + f'[dependencies.b]\nurl = "https://a/b"\nsha256 = "{SHA}"\nfolder = "../c"\n',
        ":8: dependencies.b.folder: '../c' must be relative",
    ),
    (HEAD + '[overrides.b]\nsha256 = "1"\n', ":6: overrides.b.sha256: '1' does not match"),
    (HEAD + '[env]\n"A B" = "1"\n', ":6: env.A B: 'A B' does not match"),
    (HEAD + "[env]\nA = 1\n", ":6: env.A: must be a text"),
    (HEAD + '[digests]\nx = "abc"\n', ":6: digests.x: 'abc' does not match"),
    (HEAD + f'[digests]\n"x-1.tar.gz" = "{SHA}"\n', "digests: 'x-1.tar.gz' is no archive of"),
    (HEAD + "[firmware]\n", ":5: unknown key firmware"),
    # what people know from Nerves: row A9
    (HEAD + "artifact_sites = []\n", "package.artifact_sites, did you mean [[site]]?"),
    (HEAD + "build_runner_opts = []\n", "did you mean [runner] make_args?"),
    # projects
    ("", "there is neither [package] nor [project]"),
    ('[project]\nname = "a"\n' + HEAD, ":1: project: a file has either a project or a package"),
    ('[project]\nname = "a"\n[[site]]\nurl = "https://a"\n', ":3: unknown key site"),
    ('[project]\nname = "a"\n[firmware]\noverlays = ["/x"]\n', ":4: firmware.overlays[1]: '/x'"),
    # the file
    ("[package\n", ":1: "),
    ("x = " + "[" * 2000, "nested too deeply"),
    ("x = 1" + "0" * 5000, "a number has too many digits"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_wrong_is_named_with_file_line_and_key(
    text: str, message: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, text)
    assert error.brief.startswith(f"{tmp_path}/lapstrake.toml")
    assert message in error.brief


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    error = refusal(tmp_path, HEAD + 'traget = "x"\n[runner]\nname = "lxc"\ncpu = 2\n')
    assert ":5: unknown key package.traget, did you mean target?" in error.brief
    assert ":7: runner.name" in error.details
    assert ":8: unknown key runner.cpu, did you mean cpus?" in error.details


def test_the_file_itself(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"nowhere/lapstrake\.toml does not exist"):
        read_package(tmp_path / "nowhere")
    (tmp_path / "lapstrake.toml").write_bytes(b"[package]\nname = '\xff'\n")
    with pytest.raises(ProjectError, match=r"lapstrake\.toml:2: not UTF-8"):
        read_package(tmp_path)
    (tmp_path / "lapstrake.toml").unlink()
    os.mkfifo(tmp_path / "lapstrake.toml")
    with pytest.raises(ProjectError, match="toml"):
        read_package(tmp_path)


@pytest.mark.parametrize("content", ["2.0.1", "2.0.1\n", "  2.0.1  \r\nmore\n"])
def test_the_version_may_be_in_a_file(content: str, tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text(content)
    text = HEAD.replace('version = "1.2.3"', 'version_file = "VERSION"')
    assert read(tmp_path, text).version == "2.0.1"
    records = tmp_path / "records"
    assert read_package(tmp_path, records=records).version == "2.0.1"
    (tmp_path / "VERSION").write_text("3.0")  # and is not remembered
    assert read_package(tmp_path, records=records).version == "3.0"


@pytest.mark.parametrize(
    "content", [None, b"", b"\n1.0\n/", b"a/b\n", b"..\n", b"\xff", b"1" * 101]
)
def test_a_version_file_that_holds_none(content: bytes | None, tmp_path: Path) -> None:
    text = HEAD.replace('version = "1.2.3"', 'version_file = "VERSION"')
    if content == b"\n1.0\n/":
        (tmp_path / "VERSION").write_bytes(content)
        assert read(tmp_path, text).version == "1.0"
        return
    if content is not None:
        (tmp_path / "VERSION").write_bytes(content)
    error = refusal(tmp_path, text)
    assert ":4: package.version_file" in error.brief
    assert "VERSION" in error.brief


def test_bundles_and_packages_send_people_to_each_other(tmp_path: Path) -> None:
    bundle = '[package]\nname = "x"\nversion = "1"\ndescription = "d"\n[steps]\nuse = "make"\n'
    error = refusal(tmp_path, bundle)
    assert "this is a bundle" in error.brief
    assert "`lapstrake build`" in error.resolution
    for text, what in ((HEAD, "package of an artifact"), ('[project]\nname = "a"\n', "project")):
        with pytest.raises(BundleError, match=what) as caught:
            native.read(written(tmp_path, text), arch=Arch.AMD64)
        assert "lapstrake artifact" in caught.value.resolution


def test_a_project_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="this is a project, not a package"):
        read(tmp_path, '[project]\nname = "a"\n')


def test_a_manifest_is_remembered_without_pydantic(tmp_path: Path) -> None:
    text = HEAD + "".join(f"[[site]]\n{text}\n" for text, _ in SITES)
    text += '[dependencies.a]\npath = "a"\n[dependencies.b]\ngit = "https://a/b"\ntag = "v"\n'
    records = tmp_path / "records"
    first = read_package(written(tmp_path, text), records=records)
    assert first == read_package(tmp_path, records=records) == read_package(tmp_path)
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from lapstrake.artifact.manifest.read import read_package\n"
        "package = read_package(Path(sys.argv[1]), records=Path(sys.argv[1]) / 'records')\n"
        "print(package.name, 'pydantic' in sys.modules)\n"
    )
    assert said_by(script, tmp_path) == "nerves_system_x False\n"
    written(tmp_path, text + "[nonsense]\n")
    for _ in range(2):
        with pytest.raises(ProjectError, match="unknown key nonsense"):
            read_package(tmp_path, records=records)


# --- anything at all ------------------------------------------------------------------------------

_KEYS = """
    package project platform runner site env digests dependencies overrides firmware name type
    version version_file target checksum build path git url folder tag docker volumes memory cpus
    headers query token x
"""
KEYS = st.sampled_from(_KEYS.split())
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["system", "package", "1.0", "VERSION", "docker", "a/b", "../x", "~", "s3://ab/c", "${X}"]
)
SCALARS = TEXTS | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.datetimes()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS | TEXTS, inner, max_size=3),
    max_leaves=8,
)
GOOD: dict[str, Any] = tomllib.loads(
    HEAD
    + '[platform]\nbuild = "make"\n[runner]\ndocker = { tag = "x" }\nvolumes = { a = "/b" }\n'
    + '[[site]]\ngithub = "a/b"\n[env]\nA = "b"\n[dependencies.b]\npath = "b"\n'
)


VALIDATOR = jsonschema.Draft202012Validator(json.loads(schema_text()))


@st.composite
def near_misses(draw: st.DrawFn) -> dict[str, Any]:
    """A good manifest with something else put somewhere."""
    document: dict[str, Any] = json.loads(json.dumps(GOOD))
    table = document
    for _ in range(draw(st.integers(0, 2))):
        inner = [value for value in table.values() if isinstance(value, dict)]
        if not inner:
            break
        table = draw(st.sampled_from(inner))
    table[draw(st.sampled_from([*table, "x"]) | KEYS)] = draw(VALUES)
    return document


@given(st.dictionaries(KEYS, VALUES, max_size=4) | near_misses())
@settings(max_examples=120)
def test_any_document_is_read_or_refused(document: dict[str, Any]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        try:
            text = tomlkit.dumps(document)
        except (ValueError, TypeError):
            return  # what TOML cannot say
        try:
            manifest = read_manifest(written(Path(name), text))
        except ProjectError:
            return
        assert "/" not in f"{manifest.name}-{manifest.version}"
        assert VALIDATOR.is_valid(document), "the published schema refuses what we take"


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=100)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        (Path(name) / "lapstrake.toml").write_bytes(data)
        with pytest.raises(ProjectError):
            read_manifest(Path(name))
