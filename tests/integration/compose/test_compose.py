"""Composed roots of packages of our own: what is in them, and what happens when they are wrong."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lapstrake.branch.instance import Branch, current_branch
from lapstrake.compose.archive import package_layers
from lapstrake.compose.base import ComposedRoot, How, Wanted
from lapstrake.compose.closure import closure_of
from lapstrake.compose.root import compose_root, known_root
from lapstrake.compose.unpack import PackageFile, unpack_layers
from lapstrake.errors import DependencyError, MissingError
from lapstrake.names import BranchName, CacheKey
from lapstrake.place.workplace import Workplace
from lapstrake.repository.flat import Repository
from lapstrake.repository.open import repository_of
from lapstrake.runner.base import Command
from roots import clone, open_work_dir

_BRANCH = BranchName("stable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Yard:
    """A place with packages of our own in its branch's repository."""

    place: Workplace
    branch: Branch
    repository: Repository

    def compose(self, *names: str, relations: str = "") -> ComposedRoot:
        wanted = Wanted(packages=names, relations=relations)
        return compose_root(self.place, self.branch, self.repository, wanted)

    def known(self, *names: str) -> ComposedRoot | None:
        return known_root(self.place, self.branch, self.repository, Wanted(packages=names))

    def run(self, root: ComposedRoot, script: str) -> str:
        """What a script says in a root; it must end well."""
        said = bytearray()
        trees = tuple(layer.tree for layer in root.stack)
        with (
            self.place.store.workspace("look") as workspace,
            self.place.layer_runner.open(trees, workspace) as session,
        ):
            outcome = session.run(Command(argv=("sh", "-ec", script)), on_output=said.extend)
        text = said.decode()
        assert outcome.ok, text
        return text


def make_deb(
    folder: Path, name: str, files: dict[str, str], *, fields: str = "", version: str = "1"
) -> Path:
    """A package; its control files are below ``DEBIAN``."""
    tree = folder / name
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\n{fields}"
    texts = {
        **files,
        "DEBIAN/control": f"{control}Maintainer: A <a@example.org>\nDescription: a test\n",
    }
    for path, text in texts.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if text.startswith("#!") else 0o644)
    if name == "yard-tool":
        decorate(tree)
    deb = folder / f"{name}_{version}_all.deb"
    command = ["dpkg-deb", "--root-owner-group", "-z1", "--build", str(tree), str(deb)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return deb


def decorate(tree: Path) -> None:
    """What a package may have besides plain files."""
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/yard-twin").hardlink_to(tree / "bin/yard-tool")
    (tree / "usr/bin/yard-link").symlink_to("yard-tool")
    (tree / "bin/yard-tool").chmod(0o4755)
    (tree / "var/lib/yard").mkdir(parents=True)
    (tree / "var/lib/yard").chmod(0o2770)
    os.utime(tree / "bin/yard-tool", (1_000_000_000, 1_000_000_000))


@pytest.fixture(scope="module")
def yard(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    folder = tmp_path_factory.mktemp("yard")
    place = open_work_dir(clone(base_work_dir, folder / "work"), runner="userns")
    branch = current_branch(place, _BRANCH)
    assert branch is not None
    repository = repository_of(place, _BRANCH)
    tool = {
        "bin/yard-tool": "#!/bin/sh\necho tool\n",
        "etc/yard": "setting\n",
        "DEBIAN/conffiles": "/etc/yard\nremove-on-upgrade /etc/yard-old\n",
        "DEBIAN/postinst": '#!/bin/sh\nset -e\necho "$1" >> /var/lib/yard/heard\n',
        "DEBIAN/triggers": "interest-noawait /usr/share/yard\nactivate-noawait ldconfig\n",
    }
    data = "usr/share/yard/data"
    repository.publish(
        [
            make_deb(
                folder,
                "yard-tool",
                tool,
                fields="Depends: yard-data (>= 1), libc6\nProvides: yard-thing (= 3)\n",
            ),
            make_deb(folder, "yard-data", {data: "data\n"}),
            make_deb(folder, "yard-clash", {data: "other\n"}, fields="Replaces: yard-data\n"),
            make_deb(
                folder,
                "yard-broken",
                {"DEBIAN/postinst": "#!/bin/sh\necho this is why\nexit 7\n"},
            ),
            make_deb(folder, "adduser", {"usr/sbin/adduser": "#!/bin/sh\n"}, version="99"),
        ]
    )
    yield Yard(place=place, branch=branch, repository=repository)
    shutil.rmtree(folder)


def test_a_package_is_in_place_and_configured(yard: Yard) -> None:
    root = yard.compose(relations="yard-thing (>= 2)")
    assert root.how is How.COMPOSED, root.reason
    assert root.made
    assert [package.name for package in root.added] == ["yard-data", "yard-tool"]
    said = yard.run(
        root,
        """
        yard-tool; yard-link; cat /etc/yard /var/lib/yard/heard
        stat -c '%n %a %U %h' /usr/bin/yard-tool /usr/bin/yard-twin /var/lib/yard
        stat -c %Y /usr/bin/yard-tool; [ -L /bin ]
        dpkg --audit; dpkg --verify yard-tool yard-data
        dpkg-query -W -f '${Status} ${Conffiles}\n' yard-tool
        dpkg-query --listfiles yard-tool | head -n 4
        grep yard /var/lib/dpkg/triggers/File
        cat /var/lib/dpkg/info/yard-data.md5sums; apt-mark showauto | grep yard
        """,
    )
    assert said.splitlines() == [
        "tool", "tool", "setting", "configure",
        "/usr/bin/yard-tool 4755 root 2", "/usr/bin/yard-twin 4755 root 2",
        "/var/lib/yard 2770 root 1", "1000000000",
        f"install ok installed  /etc/yard {hashlib.md5(b'setting' + bytes([10])).hexdigest()}",
        " /etc/yard-old newconffile remove-on-upgrade",
        "/.", "/bin", "/bin/yard-tool", "/etc",
        "/usr/share/yard yard-tool/noawait",
        f"{hashlib.md5(b'data' + bytes([10])).hexdigest()}  usr/share/yard/data", "yard-data",
    ]  # fmt: skip


def test_layers_are_shared_and_found_again(yard: Yard) -> None:
    root, data = yard.compose("yard-tool"), yard.compose("yard-data")
    assert yard.known("yard-tool") == yard.compose("yard-tool")
    assert not yard.compose("yard-data").made
    assert data.layers[0] in root.layers
    assert yard.known("yard-clash") is None


def test_what_a_root_needs(yard: Yard) -> None:
    root = yard.compose("yard-tool")
    found = {package.name: package for package in closure_of(yard.place, root, ["yard-thing=3"])}
    assert found["yard-tool"].needs == ("libc6", "yard-data")
    assert {"yard-data", "libc6", "libgcc-s1"} <= found.keys()
    assert found["yard-tool"].sha256
    assert found["libc6"].installed > 1_000_000
    with pytest.raises(MissingError) as missing:
        closure_of(yard.place, root, ["yard-tool", "nosuch", "yard-thing=4"])
    assert missing.value.names == ("nosuch", "yard-thing=4")


def test_all_unknown_names_are_told_at_once(yard: Yard) -> None:
    with pytest.raises(MissingError) as missing:
        yard.compose("yard-tool", "nosuch1", "yard-data=77", "nosuch2")
    assert missing.value.names == ("nosuch1", "yard-data=77", "nosuch2")
    for name in ("Upper", "../x", "a b", "", "yard-tool, Conflicts: dpkg"):
        with pytest.raises(MissingError):
            yard.compose(name)


def test_two_packages_with_one_file_are_left_to_apt(yard: Yard) -> None:
    root = yard.compose("yard-data", "yard-clash")
    assert root.how is How.INSTALLED
    assert "/usr/share/yard/data" in root.reason
    assert yard.run(root, "cat /usr/share/yard/data") == "other\n"
    assert yard.known("yard-data", "yard-clash") is not None


def test_another_version_of_what_the_branch_has_is_left_to_apt(yard: Yard) -> None:
    root = yard.compose("adduser=99")
    assert (root.how, root.reason) == (How.INSTALLED, "another version of adduser is in the branch")
    assert yard.run(root, "dpkg-query -W -f '${Version}' adduser") == "99"


def test_a_package_that_cannot_be_configured(yard: Yard) -> None:
    def kept() -> set[CacheKey]:
        rest = {"package", "indices"}  # these are good whatever fails later
        return {layer.key for layer in yard.place.store.layers() if layer.kind not in rest}

    before = kept()
    with pytest.raises(DependencyError) as failed:
        yard.compose("yard-broken")
    assert failed.value.brief == "dpkg could not install yard-broken"
    assert "this is why" in failed.value.details
    assert "it was not composed: dpkg could not install yard-broken" in failed.value.details
    assert kept() <= before
    for name in ("unfinished", "workspaces"):
        assert not list((yard.place.store.root / name).iterdir())


def hostile_deb(path: Path, *, scripts: dict[str, str], data: dict[str, str]) -> PackageFile:
    """A package with links (``name``: where it leads) among its scripts and its files."""

    def tar(links: dict[str, str], control: str = "") -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            if control:
                entry = tarfile.TarInfo("./control")
                entry.size = len(control)
                archive.addfile(entry, io.BytesIO(control.encode()))
            for name, target in links.items():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                if not target:
                    entry.type, entry.size = tarfile.REGTYPE, 4
                archive.addfile(entry, io.BytesIO(b"evil"))
        return buffer.getvalue()

    fields = "Package: evil\nVersion: 1\nArchitecture: all\nMaintainer: E\nDescription: e\n"
    members = {
        "debian-binary": b"2.0\n",
        "control.tar": tar(scripts, fields),
        "data.tar": tar(data),
    }
    text = b"!<arch>\n"
    for name, content in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        text += header.encode() + content + b"\n" * (len(content) % 2)
    path.write_bytes(text)
    return PackageFile(path=path, sha256=hashlib.sha256(text).hexdigest())


_OUT = "../../../../../../0/tree/usr/share/victim"


@pytest.mark.parametrize(
    ("scripts", "data"),
    [
        ({"./list": f"{_OUT}/data"}, {}),
        ({"./md5sums": f"{_OUT}/new"}, {}),
        ({"./.hidden": _OUT}, {"./var/lib/dpkg/info/.hidden/new": ""}),
        ({}, {"./way": "../../0/tree/usr/share/victim", "./way/new": ""}),
        ({}, {"./../../0/tree/usr/share/victim/new": ""}),
        ({}, {"./var/lib/dpkg/info/evil.md5sums": f"{_OUT}/new"}),
        ({}, {"./a\nb": ""}),
    ],
)
def test_a_hostile_package_reaches_no_other(
    yard: Yard, tmp_path: Path, scripts: dict[str, str], data: dict[str, str]
) -> None:
    victim, *others = [
        PackageFile(path=deb, sha256=hashlib.sha256(deb.read_bytes()).hexdigest())
        for deb in (
            make_deb(tmp_path, name, {f"usr/share/{name}/data": str(tmp_path)})
            for name in ("victim", *(f"other{number}" for number in range(6)))
        )
    ]  # the first is there once the last begins
    evil = hostile_deb(tmp_path / "evil_1_all.deb", scripts=scripts, data=data)
    try:
        layers = unpack_layers(yard.place, yard.branch, [victim, *others, evil])
    except DependencyError:
        alone = unpack_layers(yard.place, yard.branch, [victim])
        layers = {victim.sha256: alone[victim.sha256]}
    tree = layers[victim.sha256].tree
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert found == {
        "usr/share/victim/data", "var/lib/dpkg/info/victim.list",
        "var/lib/dpkg/info/victim.md5sums",
    }  # fmt: skip
    assert (tree / "usr/share/victim/data").read_text() == str(tmp_path)


def test_packages_of_the_branch_itself_become_layers(yard: Yard) -> None:
    """A package that the base OS came with is fetched, and its files are those of the base."""
    root = yard.compose("yard-data")
    closure = closure_of(yard.place, root, ["hostname"])
    wanted = [package for package in closure if package.name == "hostname"]
    layer = package_layers(yard.place, yard.branch, yard.repository, wanted)["hostname"]
    base = yard.branch.base.tree
    files = [path for path in layer.tree.rglob("*") if path.is_file() and not path.is_symlink()]
    names = {str(path.relative_to(layer.tree)) for path in files}
    assert {"usr/bin/hostname", "var/lib/dpkg/info/hostname.list"} <= names
    for path in files:
        twin = base / path.relative_to(layer.tree)
        assert path.read_bytes() == twin.read_bytes(), path
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(twin.stat().st_mode)


def test_a_damaged_file_of_a_package_is_fetched_again(yard: Yard) -> None:
    root = yard.compose("yard-data")
    kept = yard.place.private / "packages" / f"{root.added[0].sha256}.deb"
    kept.write_bytes(kept.read_bytes()[:-50])
    for layer in reversed(root.layers):
        assert yard.place.store.remove(layer)
    again = yard.compose("yard-data")
    assert again.made
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == root.added[0].sha256
    assert yard.run(again, "cat /usr/share/yard/data") == "data\n"


def test_a_rebuilt_package_of_the_base_takes_its_place(yard: Yard, tmp_path: Path) -> None:
    # The last one: it publishes. The version is the same, the bytes are the branch's own.
    name = "debian-archive-keyring"
    status = (yard.branch.base.tree / "var/lib/dpkg/status").read_text()
    version = status.partition(f"Package: {name}\n")[2].partition("Version: ")[2].split("\n")[0]
    rebuilt = make_deb(tmp_path, name, {"usr/share/yard/rebuilt": "x\n"}, version=version)
    # Of one source: apt takes all its packages at once.
    fields = f"Source: {name}\nDepends: {name} (= {version})\n"
    files = {"usr/share/yard/over": "x\n"}
    over = make_deb(tmp_path, "yard-over", files, fields=fields, version=version)
    yard.repository.publish([rebuilt, over])
    root = yard.compose("yard-over")
    assert yard.run(root, "cat /usr/share/yard/rebuilt /usr/share/yard/over") == "x\nx\n"
