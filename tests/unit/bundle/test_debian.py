"""Debian sources as bundles."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.bundle import debian
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.bundle.debian_binaries import BinaryPackage, BuildKind, is_built
from lapstrake.bundle.debian_fields import parse
from lapstrake.bundle.debian_relations import RelationError, package_names, split_relations
from lapstrake.bundle.debian_uris import (
    SourcePackageRequest,
    is_request,
    parse_print_uris,
    parse_request,
)
from lapstrake.errors import BundleError, UsageError
from lapstrake.names import Arch, Digest
from lapstrake.source.spec import SourceKind

CONTROL = """\
Source: greet
Section: utils
Maintainer: Ada Lovelace <ada@example.org>
# a comment between fields
Build-Depends:
 debhelper-compat (= 13),
# a comment within a field
 libfoo-dev (>= 1:2~rc1) [linux-any !s390x] <!nocheck> | libbar-dev:native,
 python3:any,
Build-Depends-Arch: gcc
Build-Depends-Indep: texinfo <!nodoc>
Build-Conflicts: oldfoo (<< 2)
Standards-Version: 4.6.2

Package: greet
Architecture: any
Pre-Depends: ${misc:Pre-Depends}
Depends: ${shlibs:Depends}, greet-data (= ${source:Version}), adduser | passwd, tzdata
Description: greets
 .
 For long.

Package: greet-data
Architecture: all
Depends: ${misc:Depends}, tzdata
Description: data of greet

Package: greet-doc
Architecture: all
Build-Profiles: <!nodoc>
Description: documents of greet

Package: greet-arm
Architecture: any-arm64 kfreebsd-any
Description: for few machines
"""
CHANGELOG = """\
greet (2:1.4~rc1-3) unstable; urgency=medium

  * Release.

 -- Ada Lovelace <ada@example.org>  Fri, 10 Dec 2021 10:10:10 +0000
"""


def make_tree(folder: Path, *, control: str = CONTROL, changelog: str = CHANGELOG) -> Path:
    debian_folder = folder / "debian"
    (debian_folder / "source").mkdir(parents=True)
    (debian_folder / "control").write_text(control)
    (debian_folder / "changelog").write_text(changelog)
    (debian_folder / "rules").write_text("#!/usr/bin/make -f\n%:\n\tdh $@\n")
    (debian_folder / "source" / "format").write_text("3.0 (quilt)\n")
    return folder


DSC = """\
Format: 3.0 (quilt)
Source: greet
Binary: greet, greet-doc
Architecture: any all
Version: 1.4-3
Build-Depends: debhelper-compat (= 13)
Package-List:
 greet deb utils optional arch=any
 greet-doc deb doc optional arch=all profile=!nodoc+!stage1,cross
 greet-udeb udeb debian-installer optional arch=arm64,armhf
Checksums-Sha256:
{sums}
Files:
 d41d8cd98f00b204e9800998ecf8427e 0 greet_1.4.orig.tar.gz
"""
FILES = ("greet_1.4.orig.tar.gz", "greet_1.4-3.debian.tar.xz")


def sums_of(names: Sequence[str]) -> str:
    rows = (f" {hashlib.sha256(n.encode()).hexdigest()} {len(n)} {n}" for n in names)
    return "\n".join(rows)


def make_dsc(folder: Path, *, text: str = DSC, files: Sequence[str] = FILES) -> Path:
    for name in FILES:
        (folder / name).write_bytes(name.encode())
    dsc = folder / "greet_1.4-3.dsc"
    dsc.write_text(text.replace("{sums}", sums_of(files)))
    return dsc


def read(path: Path, arch: Arch = Arch.AMD64, **options: object) -> Bundle:
    return debian.read(path, arch=arch, **options)  # type: ignore[arg-type]


def test_a_tree_is_read_whole(tmp_path: Path) -> None:
    bundle = read(make_tree(tmp_path))
    assert (bundle.name, bundle.version) == ("greet", "2:1.4~rc1-3")
    assert bundle.upstream_version == "1.4~rc1"
    assert (bundle.format, bundle.driver, bundle.path) == (
        BundleFormat.DEBIAN,
        "debian.sh",
        tmp_path,
    )
    assert bundle.build_depends.depends == (
        "debhelper-compat (= 13)",
        "libfoo-dev (>= 1:2~rc1) [linux-any !s390x] <!nocheck> | libbar-dev:native",
        "python3:any",
        "gcc",
        "texinfo <!nodoc>",
    )
    assert bundle.build_depends.conflicts == ("oldfoo (<< 2)",)
    assert bundle.build_depends.essential
    assert bundle.provides == ("greet", "greet-data", "greet-doc")
    assert bundle.runtime_depends == ("adduser", "passwd", "tzdata")
    assert bundle.sources == ()
    assert bundle.environment["LAPSTRAKE_DSC"] == ""


@pytest.mark.parametrize(
    ("kind", "provides", "depends"),
    [
        ("any", ("greet",), {"gcc"}),
        ("all", ("greet-data", "greet-doc"), {"texinfo <!nodoc>"}),
        ("full", ("greet", "greet-data", "greet-doc"), {"gcc", "texinfo <!nodoc>"}),
    ],
)
def test_kind_chooses_packages_and_dependencies(
    tmp_path: Path, kind: str, provides: tuple[str, ...], depends: set[str]
) -> None:
    bundle = read(make_tree(tmp_path), kind=kind)
    assert bundle.provides == provides
    assert set(bundle.build_depends.depends) & {"gcc", "texinfo <!nodoc>"} == depends
    assert bundle.environment["LAPSTRAKE_KIND"] == kind


def test_profiles_choose_packages_and_reach_the_driver(tmp_path: Path) -> None:
    bundle = read(make_tree(tmp_path), profiles=("nodoc", "nocheck"))
    assert bundle.provides == ("greet", "greet-data")
    assert bundle.environment["LAPSTRAKE_PROFILES"] == "nodoc nocheck"
    with pytest.raises(UsageError, match="'no check' is not the name of a build profile"):
        read(tmp_path, profiles=("no check",))


def test_architecture_wildcards(tmp_path: Path) -> None:
    assert "greet-arm" in read(make_tree(tmp_path), Arch.ARM64).provides


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("Source: greet\n", "", 1, "the field Source is missing or empty"),
        ("Source: greet", "Source: Greet!", 1, "'Greet!' is not a package name"),
        (" python3:any,", " python3 >= 3,", 9, "'python3 >= 3' is not a relation"),
        (" debhelper-compat (= 13),", " ${misc:Depends},", 6, "'${misc:Depends}' is not"),
        ("Section: utils", "Section utils", 2, "neither a field nor its continuation"),
        ("Section: utils", "Source: other", 2, "the field Source occurs twice"),
        ("Architecture: all\nDepends", "Depends", 23, "the field Architecture is missing"),
        ("adduser | passwd", "adduser || passwd", 18, "'' is not a relation"),
        ("Package: greet-doc\n", "", 28, "the field Package is missing or empty"),
    ],
)
def test_wrong_control_is_named_by_line(
    tmp_path: Path, old: str, new: str, line: int, problem: str
) -> None:
    assert old in CONTROL
    folder = make_tree(tmp_path, control=CONTROL.replace(old, new, 1))
    with pytest.raises(BundleError) as caught:
        read(folder)
    assert caught.value.brief.startswith(f"{folder / 'debian' / 'control'}:{line}: ")
    assert problem in caught.value.brief


@pytest.mark.parametrize(
    ("changelog", "problem"),
    [
        ("", "changelog:1: Empty changelog file"),
        ("greet 1.4 unstable\n\n  * x\n", "changelog:1: "),
        (CHANGELOG.replace(" -- Ada", "-- Ada"), "changelog:5: "),
        (CHANGELOG.replace("greet", "greed"), "changelog:1: the package is called 'greed' here"),
        (CHANGELOG.replace("2:1.4~rc1-3", "v_1"), "changelog:1: Invalid version string 'v_1'"),
    ],
)
def test_wrong_changelog(tmp_path: Path, changelog: str, problem: str) -> None:
    with pytest.raises(BundleError) as caught:
        read(make_tree(tmp_path, changelog=changelog))
    assert problem in caught.value.brief


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    folder = make_tree(tmp_path)
    (folder / "debian" / "source" / "format").write_text("3.0 (git)\n")
    with pytest.raises(BundleError, match=r"format:1: the source format '3.0 \(git\)'"):
        read(folder)
    (folder / "debian" / "source" / "format").unlink()
    assert read(folder).name == "greet"  # no format means 1.0
    (folder / "debian" / "control").write_bytes(b"Source: greet\nMaintainer: \xe9\n")
    with pytest.raises(BundleError, match="control:2: not UTF-8"):
        read(folder)
    (folder / "debian" / "control").unlink()
    with pytest.raises(BundleError, match="control does not exist"):
        read(folder)
    (folder / "debian" / "rules").unlink()
    with pytest.raises(BundleError, match="rules does not exist"):
        read(folder)


def test_nothing_to_build_is_an_error(tmp_path: Path) -> None:
    control = CONTROL.replace("Architecture: any\n", "Architecture: arm64\n")
    with pytest.raises(BundleError, match="no package is built for amd64, kind any"):
        read(make_tree(tmp_path, control=control), kind="any")


def test_a_dsc_is_read_whole(tmp_path: Path) -> None:
    dsc = make_dsc(tmp_path)
    bundle = read(dsc)
    assert (bundle.name, bundle.version, bundle.upstream_version) == ("greet", "1.4-3", "1.4")
    assert bundle.provides == ("greet", "greet-doc")
    assert [source.name for source in bundle.sources] == [dsc.name, *FILES]
    assert {source.kind for source in bundle.sources} == {SourceKind.FILE}
    for source in bundle.sources:
        content = (tmp_path / source.name).read_bytes()
        assert source.url == (tmp_path / source.name).as_uri()
        assert source.digest == Digest("sha256", hashlib.sha256(content).hexdigest())
    assert bundle.sources[1].origin == f"{dsc}:12"
    assert bundle.environment["LAPSTRAKE_DSC"] == dsc.name


@pytest.mark.parametrize(
    ("profiles", "built"),
    [((), True), (("nodoc",), False), (("stage1",), False), (("nodoc", "cross"), True)],
)
def test_a_dsc_tells_profiles(tmp_path: Path, profiles: tuple[str, ...], built: bool) -> None:
    bundle = read(make_dsc(tmp_path), profiles=profiles)
    assert ("greet-doc" in bundle.provides) is built
    assert "greet-udeb" in read(tmp_path / "greet_1.4-3.dsc", Arch.ARMHF).provides


@pytest.mark.parametrize("format_name", ["1.0", "3.0 (native)", "3.0 (quilt)"])
def test_formats(tmp_path: Path, format_name: str) -> None:
    text = DSC.replace("3.0 (quilt)", format_name)
    assert read(make_dsc(tmp_path, text=text)).name == "greet"


def test_only_signed_text_counts(tmp_path: Path) -> None:
    signed = (
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{DSC}\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQ==\n=kNoz\n-----END PGP SIGNATURE-----\n"
        "Version: 9\nNonsense\n"
    )
    bundle = read(make_dsc(tmp_path, text=signed))
    assert bundle.version == "1.4-3"
    assert bundle.sources[1].origin.endswith(":15")
    cut = signed[: signed.index("-----BEGIN PGP SIGNATURE")]
    with pytest.raises(BundleError, match=r"dsc:1: the signature is cut off"):
        read(make_dsc(tmp_path, text=cut))
    with pytest.raises(BundleError, match=r"dsc:1: neither a field"):
        read(make_dsc(tmp_path, text="Nonsense\n" + signed))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("3.0 (quilt)", "2.0", r":1: the source format '2\.0' is not supported"),
        ("Version: 1.4-3\n", "", r":1: the field Version is missing"),
        ("Version: 1.4-3", "Version: 1 4", r":5: '1 4' is not a version"),
        ("Checksums-Sha256", "Checksums-Sha1", "Checksums-Sha256 is missing"),
        ("\n{sums}", "\n abc 1 x.tar.gz", r":12: 'abc 1 x\.tar\.gz' is not a checksum"),
        (" greet deb utils optional", " greet deb", r":8: 'greet deb arch=any' lacks"),
        ("Files:", "\nFiles:", "2 paragraphs"),
    ],
)
def test_wrong_dsc(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in DSC
    dsc = make_dsc(tmp_path, text=DSC.replace(old, new, 1))
    with pytest.raises(BundleError, match=problem):
        read(dsc)


@pytest.mark.parametrize("name", ["../greet.tar.gz", "/etc/passwd", "..", "a/b.tar.gz", "-x"])
def test_a_dsc_cannot_name_files_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match=f":13: {re.escape(repr(name))} is not a plain file name"):
        read(make_dsc(tmp_path, files=(FILES[0], name)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    dsc = make_dsc(tmp_path)
    (tmp_path / FILES[1]).unlink()
    with pytest.raises(BundleError, match=rf"dsc:13: {FILES[1]} is not next to the \.dsc"):
        read(dsc)


def uris(folder: Path, names: Sequence[str]) -> str:
    rows = []
    for name in names:
        content = (folder / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        rows.append(f"'http://archive.test/pool/{name}' {name} {len(content)} SHA256:{digest}")
    return "Reading package lists...\nNOTICE: 'greet' has a git repository\n" + "\n".join(rows)


def test_sources_from_an_archive(tmp_path: Path) -> None:
    dsc = make_dsc(tmp_path)
    request = parse_request("apt:greet=1.4-3")
    output = uris(tmp_path, [FILES[0], dsc.name, FILES[1]])
    sources = parse_print_uris(output, request=request)
    assert [source.name for source in sources] == [dsc.name, *FILES]
    assert sources[0].url == f"http://archive.test/pool/{dsc.name}"
    for name in FILES:
        (tmp_path / name).unlink()  # not next to the .dsc: they are fetched
    assert read(dsc, sources=sources).sources == sources
    with pytest.raises(BundleError, match=f"{FILES[1]} is not among the sources"):
        read(dsc, sources=sources[:2])
    swapped = parse_print_uris(
        output.replace(sources[1].digest.hex if sources[1].digest else "?", "0" * 64),
        request=request,
    )
    with pytest.raises(BundleError, match="another checksum") as caught:
        read(dsc, sources=swapped)
    assert "0" * 64 in caught.value.details


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("", "0 .dsc files"),
        ("'http://x/a.dsc' a.dsc 1 MD5Sum:d41d8cd98f00b204e9800998ecf8427e", "no SHA-256"),
        ("'http://x/a.dsc' a.dsc 1", "no SHA-256"),
        ("'http://x/a.dsc' ../a.dsc 1 SHA256:00", "not understood"),
        ("'http://x/a.dsc a.dsc", "not understood"),
    ],
)
def test_odd_answers_of_apt(output: str, problem: str) -> None:
    with pytest.raises(BundleError, match=problem):
        parse_print_uris(output, request=SourcePackageRequest(name="a"))


def test_requests() -> None:
    assert parse_request("apt:g++=4:1.2~x-1").argument == "g++=4:1.2~x-1"
    assert str(parse_request("apt:hello")) == "apt:hello"
    assert not is_request("hello")
    for text in ("apt:", "apt:hello=", "apt:-o", "apt:a b", "hello", "apt:hello=-x", "apt:he/llo"):
        with pytest.raises(BundleError, match="does not name a source package"):
            parse_request(text)


def test_arch_tables_of_dpkg() -> None:
    package = BinaryPackage(name="x", architectures=("linux-any",))
    for arch in Arch:
        assert is_built(package, arch=arch, kind=BuildKind.ANY, profiles=())


names = st.from_regex(r"[a-z0-9][a-z0-9.+-]{1,8}", fullmatch=True)
versions = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~]{0,6}(-[0-9a-z]{1,3})?", fullmatch=True)
relations = st.builds(
    lambda name, version, arch, profile: f"{name}{version}{arch}{profile}",
    names,
    st.one_of(
        st.just(""),
        st.builds("({} {})".format, st.sampled_from(["<<", "<=", "=", ">=", ">>"]), versions).map(
            " {}".format
        ),
    ),
    st.sampled_from(["", " [amd64]", " [!i386 !s390x]", " [linux-any]"]),
    st.sampled_from(["", " <!nocheck>", " <stage1 !cross> <nodoc>"]),
)
fields = st.lists(st.lists(relations, min_size=1, max_size=3).map(" | ".join), max_size=5)


@given(fields, st.sampled_from([", ", ",", " ,\n ", ",\n\t"]), st.booleans())
def test_relations_survive(items: list[str], comma: str, trailing: bool) -> None:
    value = comma.join(items) + ("," if trailing else "")
    assert split_relations(value) == tuple(items)
    expected = [word.split()[0] for item in items for word in item.split(" | ")]
    assert package_names(tuple(items)) == tuple(dict.fromkeys(expected))


@given(st.text(alphabet="ab1 ()=<>[]!|,${}:.-~\n", max_size=24))
def test_any_text_is_relations_or_refused(text: str) -> None:
    try:
        result = split_relations(text)
    except RelationError:
        return
    assert split_relations(", ".join(result)) == result


@given(st.text(alphabet=st.sampled_from("AbC:-#. \t\n-"), max_size=60))
def test_any_control_file_is_read_or_refused(text: str) -> None:
    try:
        paragraphs = parse(text, file=Path("control"))
    except BundleError:
        with pytest.raises(BundleError, match=r"\Acontrol:\d+: "):
            parse(text, file=Path("control"))
        return
    lines = text.splitlines()
    for paragraph in paragraphs:
        assert set(paragraph.lines) == {name.lower() for name in paragraph.values}
        for name, line in paragraph.lines.items():
            assert lines[line - 1].lower().startswith(name)
