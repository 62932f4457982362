from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import lapstrake
from lapstrake.bundle.aosc import NotForArch, aosc_name, from_aosc_name, read
from lapstrake.bundle.aosc_arch import groups_of
from lapstrake.bundle.aosc_file import Evaluated
from lapstrake.bundle.base import Bundle, BundleFormat, Needs
from lapstrake.errors import BundleError, LapstrakeError
from lapstrake.formats.shell import NeedsShell, Value
from lapstrake.host import process
from lapstrake.names import Arch, Digest
from lapstrake.source.spec import SourceKind

SHA256 = "0123456789abcdef" * 4
SPEC = f"""
VER=1.2
SRCS="tbl::https://example.org/x-$VER.tar.gz"
CHKSUMS="sha256::{SHA256}"
"""
DEFINES = "PKGNAME=hello\nPKGSEC=utils\nPKGDES='A greeting'\n"


def make(path: Path, *, spec: str = SPEC, defines: str = DEFINES) -> Path:
    (path / "autobuild").mkdir(parents=True, exist_ok=True)
    (path / "spec").write_text(spec, encoding="utf-8")
    (path / "autobuild/defines").write_text(defines, encoding="utf-8")
    return path


def bundle(path: Path, spec: str = SPEC, defines: str = DEFINES, arch: Arch = Arch.AMD64) -> Bundle:
    return read(make(path / "folder", spec=spec, defines=defines), arch=arch)


def test_a_whole_bundle(tmp_path: Path) -> None:
    found = bundle(
        tmp_path,
        SPEC + "REL=3\nSUBDIR=x-$VER/src\nENVREQ='total_mem=2 core=4 disk=5'\n",
        DEFINES + 'PKGEPOCH=1\nPKGDEP="libx y>=2 z_"\nBUILDDEP="cmake \\\n  @AB@ y>=2"\n',
    )
    assert found.name == "hello"
    assert found.version == "1:1.2-3"
    assert found.upstream_version == "1.2"
    assert found.format is BundleFormat.AOSC
    assert found.path == tmp_path / "folder"
    assert found.subdir == "x-1.2/src"
    assert found.build_depends.depends == ("cmake", "y (>= 2)", "libx", "z")
    assert found.build_depends.essential
    assert found.provides == ("hello",)
    assert found.runtime_depends == ("libx", "y", "z")
    assert found.driver == "aosc.sh"
    assert found.user == 0
    assert found.environment["PKGVER"] == "1.2"
    assert found.environment["PKGREL"] == "3"
    assert found.needs == Needs()  # ENVREQ chooses a machine; it is no bound
    assert found.warnings == ()
    (source,) = found.sources
    assert source.kind is SourceKind.ARCHIVE
    assert source.url == "https://example.org/x-1.2.tar.gz"
    assert source.name == "1.2.bin"
    assert source.digest == Digest("sha256", SHA256)
    assert source.origin == "folder/spec:3"


@pytest.mark.parametrize(
    "spec, defines, version",
    [
        ("VER=1", "", "1"),
        ("VER=1\nREL=0", "", "1"),
        ("VER=1~rc1\nREL=0retro1", "", "1~rc1-0retro1"),
        ("VER=1+git2\nREL=2", "PKGEPOCH=2", "2:1+git2-2"),
        ("VER=1", "PKGEPOCH=0", "1"),
        ("UPSTREAM_VER=1-rc1\nVER=${UPSTREAM_VER/-/~}", "", "1~rc1"),
    ],
)
def test_versions(tmp_path: Path, spec: str, defines: str, version: str) -> None:
    assert bundle(tmp_path, spec + "\nDUMMYSRC=1", DEFINES + defines).version == version


@pytest.mark.parametrize(
    "spec, message",
    [
        ("REL=1", "folder/spec: VER is missing"),
        ("\nVER=1/2\n", "folder/spec:2: VER='1/2'"),
        ("VER=1:2", "folder/spec:1: VER="),
        ("VER=1_2", "folder/spec:1: VER="),
        ("VER=1 REL=a-b", "REL='a-b'"),
        ("VER=1", "no sources"),
        ("VER=1\nA=$(id)", "folder/spec:2: a command substitution"),
        ("VER='1", "folder/spec:1: a single quote"),
        ("VER=1\r\nREL=2\r\n", "spec:1: the line ends as on Windows"),
        ("VER=1\nDUMMYSRC=1\nSUBDIR=a/../../b", "folder/spec:3: SUBDIR="),
        ("VER=1\nDUMMYSRC=1\nSUBDIR=/etc", "folder/spec:3: SUBDIR="),
        ("VER=1\nDUMMYSRC=1\nENVREQ=much", "folder/spec:3: 'much'"),
        ("VER=1\nDUMMYSRC=1\nENVREQ=disk=inf", "folder/spec:3: disk is out of range: inf"),
    ],
)
def test_wrong_specs(tmp_path: Path, spec: str, message: str) -> None:
    make(tmp_path / "folder")
    (tmp_path / "folder/spec").write_bytes(spec.encode())
    with pytest.raises(BundleError) as problem:
        read(tmp_path / "folder", arch=Arch.AMD64)
    assert message in problem.value.brief


@pytest.mark.parametrize(
    "defines, message",
    [
        ("", "folder/autobuild/defines: PKGNAME is missing"),
        ("PKGNAME=x\nPKGSEC=utils", "PKGDES is missing"),
        (DEFINES.replace("hello", "Hello"), "folder/autobuild/defines:1: 'Hello'"),
        (DEFINES + "PKGEPOCH=x", "folder/autobuild/defines:4: PKGEPOCH='x'"),
        (DEFINES + "PKGDEP='a b|c'", "folder/autobuild/defines:4: 'b|c' is not a dependency"),
        (DEFINES + "BUILDDEP='a>=' ", "'a>='"),
        (DEFINES + "FAIL_ARCH=x ALLOW_ARCH=y", "exclude each other"),
        (DEFINES + "FAIL_ARCH='!(x'", "is not a pattern"),
        (DEFINES + "PKGDEP__MAINLINE=a\nPKGDEP__64BIT=b", "both hold for amd64"),
    ],
)
def test_wrong_defines(tmp_path: Path, defines: str, message: str) -> None:
    with pytest.raises(BundleError) as problem:
        bundle(tmp_path, defines=defines)
    assert message in problem.value.brief


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="spec: No such file"):
        read(tmp_path, arch=Arch.AMD64)
    (tmp_path / "spec").write_text(SPEC)
    with pytest.raises(BundleError, match="neither autobuild/defines nor"):
        read(tmp_path, arch=Arch.AMD64)
    (tmp_path / "autobuild").mkdir()
    with pytest.raises(BundleError, match="autobuild/defines: No such file"):
        read(tmp_path, arch=Arch.AMD64)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "spec").write_bytes(b"VER=1\n#\xff\n")
    with pytest.raises(BundleError, match="spec:2: this is not UTF-8"):
        read(tmp_path, arch=Arch.AMD64)
    (tmp_path / "spec").write_bytes(b"#" * (1 << 21))
    with pytest.raises(BundleError, match="larger than"):
        read(tmp_path, arch=Arch.AMD64)


@pytest.mark.parametrize(
    "defines, arch, depends",
    [
        ("PKGDEP=a", Arch.ARM64, ("a",)),
        ("PKGDEP=a PKGDEP__ARM64=b", Arch.ARM64, ("b",)),
        ("PKGDEP=a PKGDEP__ARM64=", Arch.ARM64, ()),
        ("PKGDEP=a PKGDEP__ARM64=b", Arch.AMD64, ("a",)),
        ("PKGDEP=a PKGDEP__RETRO=b", Arch.I386, ("b",)),
        ("PKGDEP=a PKGDEP__RETRO=b PKGDEP__I486=c", Arch.I386, ("c",)),
        ("PKGDEP=a PKGDEP__LOONGARCH64=b", Arch.LOONG64, ("b",)),
        ("PKGDEP=a PKGDEP__LOONGSON3=b", Arch.MIPS64EL, ("b",)),
        ("PKGDEP=(a b)", Arch.AMD64, ("a", "b")),
        ("PKGDEP=a-$ARCH", Arch.ARMHF, ("a-armv7hf",)),
        ("PKGDEP=a$PKGVER", Arch.AMD64, ("a1.2",)),
    ],
)
def test_suffixes(tmp_path: Path, defines: str, arch: Arch, depends: tuple[str, ...]) -> None:
    assert bundle(tmp_path, defines=DEFINES + defines, arch=arch).runtime_depends == depends


@pytest.mark.parametrize(
    "rule, arch, allowed",
    [
        ('FAIL_ARCH="!(amd64|arm64)"', Arch.AMD64, True),
        ('FAIL_ARCH="!(amd64|arm64)"', Arch.RISCV64, False),
        ("FAIL_ARCH=ppc64", Arch.PPC64EL, True),
        ("FAIL_ARCH=ppc64el", Arch.PPC64EL, False),
        ("FAIL_ARCH=loong*", Arch.LOONG64, False),
        ("FAIL_ARCH='@(i486|amd64)'", Arch.I386, False),
        ("FAIL_ARCH='(amd64|arm64)'", Arch.AMD64, True),
        ("ALLOW_ARCH=amd64", Arch.AMD64, True),
        ("ALLOW_ARCH=amd64", Arch.ARM64, False),
        ("FAIL_ARCH__AMD64=amd64 FAIL_ARCH=", Arch.AMD64, False),
    ],
)
def test_machines_that_are_excluded(tmp_path: Path, rule: str, arch: Arch, allowed: bool) -> None:
    defines = DEFINES + rule
    if allowed:
        assert bundle(tmp_path, defines=defines, arch=arch).name == "hello"
    else:
        with pytest.raises(NotForArch, match=f"hello is not for {aosc_name(arch)}"):
            bundle(tmp_path, defines=defines, arch=arch)


def test_exclusion_comes_before_missing_sources(tmp_path: Path) -> None:
    with pytest.raises(NotForArch):
        bundle(tmp_path, "VER=1\nSRCS__ARM64=x", DEFINES + "FAIL_ARCH=amd64")


def test_names_of_machines_go_both_ways() -> None:
    assert [from_aosc_name(aosc_name(arch)) for arch in Arch] == list(Arch)
    assert from_aosc_name("loongarch64") is Arch.LOONG64
    assert from_aosc_name("powerpc") is None


def test_several_packages_in_one_bundle(tmp_path: Path) -> None:
    (tmp_path / "spec").write_text("VER=1\nDUMMYSRC=yes")
    for folder, name, extra in (
        ("02-dev", "lib-dev", "PKGDEP='lib python-3'\nABTYPE=dummy"),
        ("01-run", "lib", "PKGDEP=glibc\nPKGEPOCH=4"),
    ):
        (tmp_path / folder).mkdir()
        text = f"PKGNAME={name}\nPKGSEC=libs\nPKGDES=x\n{extra}\n"
        (tmp_path / folder / "defines").write_text(text)
    (tmp_path / "01-run/build").write_text("true")
    found = read(tmp_path, arch=Arch.AMD64, dependency_names={"glibc": "libc6"})
    assert found.name == tmp_path.name
    assert found.version == "4:1"
    assert found.provides == ("lib", "lib-dev")
    assert found.runtime_depends == ("libc6", "python-3")
    assert found.build_depends.depends == ("libc6", "python-3")
    assert found.sources == ()
    assert found.environment["LAPSTRAKE_TEMPLATES"] == "self dummy"
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/defines").write_text("")
    with pytest.raises(BundleError, match="lib/ has a defines, but is not called NN-name"):
        read(tmp_path, arch=Arch.AMD64)


def test_two_packages_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "spec").write_text("VER=1\nDUMMYSRC=1")
    for folder in ("01-a", "02-b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "defines").write_text(DEFINES)
    with pytest.raises(BundleError, match=r"02-b/defines:1: hello is also .*01-a/defines"):
        read(tmp_path, arch=Arch.AMD64)


def test_a_machine_may_have_its_own_defines(tmp_path: Path) -> None:
    make(tmp_path)
    for folder in ("i486", "retro"):
        (tmp_path / "autobuild" / folder).mkdir()
        (tmp_path / "autobuild" / folder / "defines").write_text(DEFINES + f"PKGDEP={folder}")
    assert read(tmp_path, arch=Arch.AMD64).runtime_depends == ()
    assert read(tmp_path, arch=Arch.I386).runtime_depends == ("i486",)
    assert read(tmp_path, arch=Arch.ARMHF).runtime_depends == ("retro",)


def test_a_dummy_needs_no_compiler(tmp_path: Path) -> None:
    assert not bundle(tmp_path, defines=DEFINES + "ABTYPE=dummy").build_depends.essential


def test_names_of_dependencies_are_translated(tmp_path: Path) -> None:
    make(tmp_path, defines=DEFINES + "BUILDDEP='a>=1 b==2 c<<3 d e>>4 f<=5'\nPKGDEP='b d_'\n")
    names = {"a": "liba-dev", "b": None, "c": "x | y", "d": "p, q (>= 1)", "e": ""}
    found = read(tmp_path, arch=Arch.AMD64, dependency_names=names)
    assert found.build_depends.depends == ("liba-dev (>= 1)", "x | y", "p", "q (>= 1)", "f (<= 5)")
    assert found.runtime_depends == ("p", "q")
    assert found.environment["LAPSTRAKE_DEPENDENCY_NAMES"] == "b=\nd=p, q (>= 1)"


def test_what_needs_a_shell_is_evaluated_in_the_root_when_there_is_one(tmp_path: Path) -> None:
    asked: list[tuple[str, str, Value]] = []

    def evaluate_in_root(text: str, variables: Mapping[str, Value], origin: str) -> Evaluated:
        asked.append((origin, text, variables["PKGVER"]))
        return Evaluated(
            values={"PKGNAME": "hello", "PKGSEC": "x", "PKGDES": "x", "PKGDEP": "found"}
        )

    defines = DEFINES + "PKGDEP=$(choose)"
    with pytest.raises(NeedsShell) as refusal:
        bundle(tmp_path, defines=defines)
    assert refusal.value.line == 4
    found = read(
        make(tmp_path / "folder", defines=defines),
        arch=Arch.AMD64,
        evaluate_in_root=evaluate_in_root,
    )
    assert found.runtime_depends == ("found",)
    assert asked == [("folder/autobuild/defines", defines, "1.2")]


@pytest.mark.parametrize(
    "spec, defines, brief",
    [
        ("VER=$(curl x)", DEFINES, "folder/spec:1: VER is missing"),
        (SPEC, "PKGNAME=$(curl x)", "folder/autobuild/defines:1: PKGNAME is missing"),
        ("VER=1.2\nSRCS=$(curl x)", DEFINES, "folder/spec"),
    ],
)
def test_what_bash_said_is_told_with_the_error_that_follows(
    tmp_path: Path, spec: str, defines: str, brief: str
) -> None:
    def evaluate_in_root(text: str, variables: Mapping[str, Value], origin: str) -> Evaluated:
        given = {"VER": "1.2"} if "VER=1.2" in text else {}
        return Evaluated(values=given, said=f"{origin}: line 1: curl: command not found")

    with pytest.raises(BundleError) as refusal:
        read(
            make(tmp_path / "folder", spec=spec, defines=defines),
            arch=Arch.AMD64,
            evaluate_in_root=evaluate_in_root,
        )
    assert refusal.value.brief.startswith(brief)
    assert refusal.value.details.endswith("line 1: curl: command not found")


def test_an_unknown_template_is_told_with_its_line(tmp_path: Path) -> None:
    make(tmp_path, defines=DEFINES + "ABTYPE=frob\n")
    with pytest.raises(BundleError) as refusal:
        read(tmp_path, arch=Arch.AMD64, templates=("self", "dummy"))
    assert refusal.value.brief.endswith("autobuild/defines:4: ABTYPE='frob' is no build template")
    assert "dummy, self" in refusal.value.resolution


@pytest.mark.parametrize(
    "line, meant",
    [
        ("PGKDEP=x", "PKGDEP"),
        ("PKGDEPS=x", "PKGDEP"),
        ("PKgREP=x", "PKGREP"),
        ("ABTPYE=x", "ABTYPE"),
        ("BUILDEP=x", "BUILDDEP"),
        ("BUILDDEP__RETRO=x BULDDEP__RETRO=x", "BUILDDEP"),
    ],
)
def test_misspelt_variables_are_warned_of(tmp_path: Path, line: str, meant: str) -> None:
    (warning,) = bundle(tmp_path, defines=DEFINES + line).warnings
    assert warning.startswith("folder/autobuild/defines: ")
    assert meant in warning


def test_names_of_ones_own_are_not_warned_of(tmp_path: Path) -> None:
    own = "__VER=1 CMAKE_AFTER__COMMON=x _BASE=1 COMMON_DEP=x QT_VER=1\n"
    assert bundle(tmp_path, own + SPEC, DEFINES + own).warnings == ()


def test_a_pattern_that_never_matches_is_warned_of(tmp_path: Path) -> None:
    for pattern in ("(a|b)", "a|b"):
        (warning,) = bundle(tmp_path, defines=f"{DEFINES}FAIL_ARCH='{pattern}'").warnings
        assert "folder/autobuild/defines:4: FAIL_ARCH" in warning


def test_the_toolbox_puts_machines_in_the_same_groups() -> None:
    machines = Path(lapstrake.__file__).parent / "toolbox/aosc/machines.sh"
    asked = ". $1; dpkg() { :; }; for LAPSTRAKE_ARCH in ${@:2}; do name_machine; "
    asked += "echo $ARCH ${ARCH_GROUPS[*]}; unset CROSS; done"
    done = process.run(
        ["bash", "-c", asked, "bash", machines, *Arch], timeout=60, error=LapstrakeError
    )
    told = [tuple(line.split()) for line in done.text.splitlines()]
    assert told == [(aosc_name(arch), *groups_of(aosc_name(arch))) for arch in Arch]
