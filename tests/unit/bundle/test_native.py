"""Bundles of our own format."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.bundle import native
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.bundle.native_sources import substitute
from lapstrake.bundle.native_steps import ALIGNED, align
from lapstrake.bundle.schema import bundle_schema
from lapstrake.errors import BundleError
from lapstrake.formats.toml_lines import line_of
from lapstrake.host.process import run
from lapstrake.names import Arch, Digest
from lapstrake.source.spec import SourceKind, SourceSpec, Submodules

PROJECT = Path(__file__).parents[3]
EXAMPLES = sorted((PROJECT / "examples" / "native").glob("*/lapstrake.toml"))
SUM = "ab" * 32
MINIMAL = """\
[package]
name = "greet"
version = "1.4"
description = "greets"
"""


def read(folder: Path, text: str, **options: Any) -> Bundle:
    (folder / "lapstrake.toml").write_text(text)
    return native.read(folder, arch=Arch.AMD64, **options)


def failure(folder: Path, text: str) -> BundleError:
    with pytest.raises(BundleError) as caught:
        read(folder, text)
    assert caught.value.brief.startswith(f"{folder / 'lapstrake.toml'}:")
    return caught.value


def place_of(error: BundleError) -> tuple[int, str]:
    _, line, problem = error.brief.split(":", 2)
    return int(line), problem.strip()


def control_of(bundle: Bundle, folder: str) -> dict[str, str]:
    lines = bundle.files[f"outputs/{folder}/control"].decode().splitlines()
    return dict(line.split(": ", 1) for line in lines if not line.startswith(" "))


def test_the_least_makes_one_package_of_everything(tmp_path: Path) -> None:
    bundle = read(tmp_path, MINIMAL)
    assert (bundle.name, bundle.version, bundle.upstream_version) == ("greet", "1.4-1", "1.4")
    assert (bundle.format, bundle.driver, bundle.path) == (
        BundleFormat.NATIVE,
        "native.sh",
        tmp_path,
    )
    assert bundle.provides == ("greet",)
    assert bundle.makes_packages
    assert not bundle.build_depends.essential
    assert set(bundle.files) == {
        f"outputs/10-greet/{name}" for name in ("control", "depends", "libraries", "strip")
    }
    assert control_of(bundle, "10-greet")["Architecture"] == "amd64"
    assert native.read(tmp_path / "lapstrake.toml", arch=Arch.AMD64) == bundle


def test_no_output_means_no_package(tmp_path: Path) -> None:
    text = 'output = []\n[package]\nname = "nothing"\nversion = "1"\n[steps]\nbuild = "true"\n'
    bundle = read(tmp_path, text)
    assert not bundle.makes_packages
    assert bundle.provides == ()
    assert set(bundle.files) == {"steps/3-build.sh"}


@pytest.mark.parametrize(
    ("more", "version"),
    [
        ("", "1.4-1"),
        ("revision = 3", "1.4-3"),
        ('revision = "3~deb12u1"', "1.4-3~deb12u1"),
        ("revision = 0", "1.4"),
        ('revision = ""', "1.4"),
        ("epoch = 2", "2:1.4-1"),
    ],
)
def test_versions(tmp_path: Path, more: str, version: str) -> None:
    assert read(tmp_path, f"{MINIMAL}{more}\n").version == version


def test_sources(tmp_path: Path) -> None:
    text = f"""{MINIMAL}
[[source]]
url = "https://example.org/${{name}}-${{version}}.tar.gz"
sha256 = "{SUM}"
[[source]]
url = "https://example.org/extra.zip"
sha512 = "{SUM}{SUM}"
path = "third-party/${{version}}"
[[source]]
url = "https://example.org/a%20manual.pdf?x=1"
unpack = false
sha256 = "{SUM}"
[[source]]
git = "https://example.org/lib.git"
tag = "v${{version}}"
submodules = false
[[source]]
svn = "https://example.org/svn/trunk"
revision = "12"
name = "code"
[[source]]
pypi = "six"
sha256 = "{SUM}"
[[source]]
npm = "left-pad"
revision = "1.0.0"
sha256 = "{SUM}"
"""
    digest = Digest("sha256", SUM)

    def spec(number: int, kind: SourceKind, url: str, name: str, **more: object) -> SourceSpec:
        origin = f"lapstrake.toml: source {number}"
        return SourceSpec(kind=kind, url=url, name=name, origin=origin, **more)  # type: ignore[arg-type]

    assert read(tmp_path, text).sources == (
        spec(
            1, SourceKind.ARCHIVE, "https://example.org/greet-1.4.tar.gz", "1.4.bin", digest=digest
        ),
        spec(
            2,
            SourceKind.ARCHIVE,
            "https://example.org/extra.zip",
            "1.4-1.bin",
            digest=Digest("sha512", SUM + SUM),
            path="third-party/1.4",
        ),
        spec(
            3,
            SourceKind.FILE,
            "https://example.org/a%20manual.pdf?x=1",
            "a manual.pdf",
            digest=digest,
        ),
        spec(
            4,
            SourceKind.GIT,
            "https://example.org/lib.git",
            "lib",
            revision="v1.4",
            submodules=Submodules.NONE,
        ),
        spec(5, SourceKind.SVN, "https://example.org/svn/trunk", "code", revision="12"),
        spec(6, SourceKind.PYPI, "six", "1.4-2.bin", revision="1.4", digest=digest),
        spec(7, SourceKind.NPM, "left-pad", "1.4-3.bin", revision="1.0.0", digest=digest),
    )


@pytest.mark.parametrize(
    ("source", "line", "problem"),
    [
        (f'url = "x/${{v}}"\nsha256 = "{SUM}"', 6, "source.url: '${v}' is unknown here"),
        (f'url = "x/${{version"\nsha256 = "{SUM}"', 6, "source.url: '${version' is unknown"),
        (f'url = "x"\nsha256 = "{SUM}"\nname = "a/b"\nunpack = false', 8, "'a/b' is not a plain"),
        ('url = "x"', 5, "source[1]: url needs sha256 or sha512"),
        ('git = "x"', 5, "source[1]: git needs a revision or a tag"),
        ('git = "x"\nhg = "y"\ntag = "1"', 5, "has git and hg"),
        (f'sha256 = "{SUM}"', 5, "has none of them"),
        ('git = "x"\ntag = "1"\nrevision = "2"', 5, "both revision and tag"),
        (f'url = "x"\nsha256 = "{SUM}"\nbranch = "b"', 5, "url has no revision, tag or branch"),
        ('url = "x"\nsha256 = "AB"', 7, "source[1].sha256: 'AB' does not match"),
        (f'url = "x"\nsha256 = "{SUM}"\npath = "../up"', 8, "must be relative and stay below"),
    ],
)
def test_wrong_sources(tmp_path: Path, source: str, line: int, problem: str) -> None:
    found_line, found = place_of(failure(tmp_path, f"{MINIMAL}[[source]]\n{source}\n"))
    assert problem in found
    assert found_line == line


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("[package\n", 1, "Expected"),
        ("[package]\nname = \n", 2, "Invalid value"),
        ('a = """', 1, "nterminated"),
        ("", 1, "the key package is missing"),
        ('[package]\nname = "x1"\n', 1, "the key package.version is missing"),
        (MINIMAL + "naem = 1\n", 5, "unknown key package.naem, did you mean name?"),
        (MINIMAL + "[stepz]\n", 5, "unknown key stepz, did you mean steps?"),
        (
            MINIMAL + "[steps]\n\nbuidl = 'make'\n",
            7,
            "unknown key steps.buidl, did you mean build?",
        ),
        (MINIMAL + "[steps]\nuse = 'bazel'\n", 6, "steps.use: must be 'autotools'"),
        (MINIMAL + "[steps]\nuse = 'make'\noptions = ['a']\n", 5, "options are for the presets"),
        (MINIMAL + "[steps]\nenvironment.A-B = 'x'\n", 6, "'A-B' does not match"),
        (MINIMAL + "[steps]\ndirectory = '${x}'\n", 6, "steps.directory: '${x}' is unknown here"),
        (MINIMAL + "[depends]\nrun = [\n 'a',\n 'b > ',\n]\n", 6, "depends.run[2]: 'b > ' is not"),
        (MINIMAL + "[depends]\nrun = ['a, b']\n", 6, "'a, b' is not one relation"),
        (MINIMAL + "[needs]\nmemory = 'much'\n", 6, "'much' is not a size"),
        (MINIMAL + "[needs]\ntime = '1 year'\n", 6, "'1 year' is not a duration"),
        (MINIMAL + "[needs]\nnetwork = 'yes'\n", 6, "needs.network: must be true or false"),
        (MINIMAL + "maintainer = 'me'\n", 5, "'me' is not an address"),
        (MINIMAL + "[[output]]\n[[output]]\nfiles=['x']\n", 1, "two outputs are called greet"),
        (MINIMAL + "[[output]]\n[[output]]\nname='b1'\n", 1, "only one output can go without"),
        ('[package]\nname = "x1"\nversion = "1"\n', 1, "package.description is missing"),
        (MINIMAL.replace("greet", "Greet"), 2, "package.name: 'Greet' does not match"),
        (MINIMAL.replace("1.4", "v1"), 3, "package.version: 'v1' does not match"),
        (MINIMAL + "homepage = 'a\\nb'\n", 5, ""),
    ],
)
def test_errors_name_line_and_key(tmp_path: Path, text: str, line: int, problem: str) -> None:
    if not problem:  # a literal string has no escapes: this is one line, and fine
        assert read(tmp_path, text)
        return
    found_line, found = place_of(failure(tmp_path, text))
    assert problem in found
    assert found_line == line


def test_all_errors_are_told_at_once(tmp_path: Path) -> None:
    error = failure(tmp_path, "[package]\nname = 1\nversion = 2\n")
    assert place_of(error)[0] == 2
    assert "lapstrake.toml:3: package.version: " in error.details


def test_missing_file_and_wrong_encoding(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"lapstrake\.toml does not exist"):
        native.read(tmp_path, arch=Arch.AMD64)
    (tmp_path / "lapstrake.toml").write_bytes(b"[package]\nname = '\xe9'\n")
    with pytest.raises(BundleError, match=r"lapstrake\.toml:2: not UTF-8"):
        native.read(tmp_path, arch=Arch.AMD64)


def test_dependencies(tmp_path: Path) -> None:
    text = f"""{MINIMAL}
[depends]
build = ["zlib1g-dev", "cmake  (>= 3.20)", "cmake"]
build_conflicts = ["libfoo-dev"]
run = ["adduser | passwd"]
[steps]
use = "cmake"
[[output]]
name = "libgreet"
files = ["usr/lib"]
depends = ["tzdata"]
[[output]]
depends = ["libgreet (= 1.4-1)"]
"""
    bundle = read(tmp_path, text)
    assert bundle.build_depends.depends == ("zlib1g-dev", "cmake (>= 3.20)", "cmake", "ninja-build")
    assert bundle.build_depends.conflicts == ("libfoo-dev",)
    assert bundle.build_depends.essential
    assert bundle.provides == ("libgreet", "greet")
    assert bundle.runtime_depends == ("adduser", "passwd", "tzdata")
    assert bundle.files["outputs/10-libgreet/depends"] == b"adduser | passwd, tzdata\n"
    off = read(tmp_path, text.replace("[depends]", "[depends]\ntoolchain = false"))
    assert not off.build_depends.essential


def test_control_files(tmp_path: Path) -> None:
    text = """\
[package]
name = "greet"
version = "1.4"
description = \"\"\"
greets

  Twice.\"\"\"
homepage = "https://example.org"
architecture = "all"
[[output]]
name = "greet-x"
files = ["usr/bin/x*"]
architecture = "any"
recommends = ["a", "b"]
conffiles = ["opt/x.conf"]
scripts.postinst = "echo hi"
[[output]]
section = "doc"
description = "documents"
scripts = { prerm = "#!/bin/bash\\necho bye\\n" }
"""
    bundle = read(tmp_path, text, maintainer="M <m@example.org>")
    folder = "outputs/10-greet-x"
    assert bundle.files[f"{folder}/control"].decode() == (
        "Package: greet-x\n"
        "Source: greet\n"
        "Version: 1.4-1\n"
        "Architecture: amd64\n"
        "Maintainer: M <m@example.org>\n"
        "Recommends: a, b\n"
        "Section: misc\n"
        "Priority: optional\n"
        "Homepage: https://example.org\n"
        "Description: greets\n"
        " .\n"
        "   Twice.\n"
    )
    assert bundle.files[f"{folder}/files"] == b"usr/bin/x*\n"
    assert bundle.files[f"{folder}/conffiles"] == b"opt/x.conf\n"
    assert bundle.files[f"{folder}/postinst"] == b"#!/bin/sh\nset -e\necho hi\n"
    rest = control_of(bundle, "11-greet")
    assert (rest["Architecture"], rest["Section"], rest["Description"]) == (
        "all",
        "doc",
        "documents",
    )
    assert bundle.files["outputs/11-greet/prerm"] == b"#!/bin/bash\necho bye\n"
    assert "outputs/11-greet/files" not in bundle.files


def test_needs_and_results(tmp_path: Path) -> None:
    text = f"""{MINIMAL}
[results]
files = ["*.img", "log"]
[needs]
network = true
secrets = ["TOKEN"]
memory = "2GiB"
disk = 1000
time = "1h30m"
"""
    bundle = read(tmp_path, text)
    assert bundle.files["results"] == b"*.img\nlog\n"
    needs = bundle.needs
    assert (needs.network, needs.secrets) == (True, ("TOKEN",))
    assert (needs.memory, needs.disk, needs.seconds) == (2 << 30, 1000, 5400.0)


STEPS = """\
[steps]
environment = { CFLAGS = "-O2 -g", ODD = "it's $x" }
prepare = "patch -p1 < a.patch"
configure = '''
./configure \\
    --prefix=/usr

true'''
build = [
    "make -j4",
    ["make", "manual page"],
    '''
    if true; then
        make doc
    fi
    ''',
]
check = ""
install = \"\"\"make install
\"\"\"
"""


def test_steps_stand_on_their_lines(tmp_path: Path) -> None:
    text = MINIMAL + STEPS
    lines = text.split("\n")
    bundle = read(tmp_path, text)
    steps = {name: data.decode() for name, data in bundle.files.items() if "steps/" in name}
    names = ["1-prepare", "2-configure", "3-build", "5-install"]
    assert sorted(steps) == [f"steps/{name}.sh" for name in names]
    for script in steps.values():
        first, *rest = script.rstrip("\n").split("\n")
        assert first == ALIGNED
        for number, line in enumerate(rest, start=1):
            words = shlex.split(line) if line.endswith("'manual page'") else [line.strip()]
            assert all(word in lines[number] for word in words)
    assert "make 'manual page'" in steps["steps/3-build.sh"].split("\n")
    assert "    if true; then" in steps["steps/3-build.sh"].split("\n")
    assert bundle.files["environment.sh"] == (
        b"export CFLAGS='-O2 -g'\nexport ODD='it'\"'\"'s $x'\n"
    )


def test_a_step_that_cannot_be_found_keeps_its_commands(tmp_path: Path) -> None:
    bundle = read(tmp_path, MINIMAL + '[steps]\nbuild = "printf \\"a\\""\n')
    assert bundle.files["steps/3-build.sh"] == b'printf "a"\n'


def test_presets_give_way_to_own_steps(tmp_path: Path) -> None:
    text = f"""{MINIMAL}
[steps]
use = "autotools"
options = ["--with-x", "CC=gcc -m64"]
check = []
build = "make all"
"""
    files = read(tmp_path, text).files
    assert files["steps/2-configure.sh"].endswith(b" --with-x 'CC=gcc -m64'\n")
    assert b"make all" in files["steps/3-build.sh"]
    assert "steps/4-check.sh" not in files
    assert b"make install" in files["steps/5-install.sh"]


@pytest.mark.parametrize("preset", ["autotools", "cmake", "meson", "make", "python"])
def test_presets_are_shell(tmp_path: Path, preset: str) -> None:
    bundle = read(tmp_path, f"{MINIMAL}[steps]\nuse = '{preset}'\n")
    scripts = [data for name, data in bundle.files.items() if name.startswith("steps/")]
    assert len(scripts) >= 2
    for script in scripts:
        assert b"@" not in script
        run(["bash", "-n"], stdin=script, timeout=30, error=BundleError)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_examples_are_read(file: Path) -> None:
    assert native.read(file, arch=Arch.RISCV64).name
    document = tomllib.loads(file.read_text())
    jsonschema.validate(document, bundle_schema())


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


def test_the_schema_refuses_what_we_refuse() -> None:
    validator = jsonschema.Draft202012Validator(bundle_schema())
    good = {"package": {"name": "greet", "version": "1.4", "description": "x"}}
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "stepz": {}})
    assert not validator.is_valid({**good, "source": [{"url": "a", "git": "b"}]})
    assert not validator.is_valid({"package": {"name": "greet"}})


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("package", "name"), 2),
        (("package", "nothing"), 1),
        (("source", 0, "url"), 6),
        (("source", 1, "url"), 10),
        (("source", 1, "nothing"), 8),
        (("source", 1, "inner", "key"), 12),
        (("steps", "build"), 15),
        (("steps", "make"), 14),
        (("steps", "after"), 22),
        (("steps", "last"), 29),
        (("steps", "environment", "A"), 30),
        (("steps", "options", 1), 23),
        (("nowhere",), 1),
    ],
)
def test_lines_of_keys(location: tuple[str | int, ...], line: int) -> None:
    text = '''\
[package]
name = "x" # [[source]]
note = '[x]'

[[source]]
url = "a"

[[source]] # second
# url = "no"
url = "b # c"
[source.inner]
key = 1

[steps]
build = """
make = 1
[package]
name = \\"""
# "
""" # end
"quoted.key" = 1
after = 1
options = [ # a comment [
    "one]",
    """two
    last = 2
    """, 'three'
]
last = 3
environment.A = "b"
'''
    assert line_of(text, location) == line


keys = st.from_regex(r"[a-z]{1,4}", fullmatch=True)
values = st.sampled_from(
    [
        "1", '"a"', "'[x]'", '"""\nq = 1\n[t]\n"""', "'''\n[t]'''", "[\n1,\n2 # ]\n]",
        "{ a = [1] }",
        '"\\" # ["', "[[1], [2]]", '["""\n]\n""", \'#\']',
    ]
)  # fmt: skip
tables = st.dictionaries(keys, values, max_size=4)


@given(st.dictionaries(keys, tables, max_size=4), st.lists(tables, max_size=3))
def test_each_key_is_found_on_its_line(
    named: dict[str, dict[str, str]], repeated: list[dict[str, str]]
) -> None:
    lines: list[str] = []
    expected: dict[tuple[str | int, ...], int] = {}

    def write(header: str, location: tuple[str | int, ...], table: dict[str, str]) -> None:
        lines.append(header)
        expected[location] = len(lines)
        for key, value in table.items():
            expected[(*location, key)] = len(lines) + 1
            lines.extend(f"{key} = {value} # note".split("\n"))

    for name, table in named.items():
        write(f"[{name}]", (name,), table)
    for position, table in enumerate(repeated):
        write("[[many-s]]", ("many-s", position), table)
    text = "\n".join(lines)
    tomllib.loads(text)  # it is TOML
    for location, line in expected.items():
        assert line_of(text, location) == line


@given(st.text(alphabet="${}nameversion ", max_size=30))
def test_substitution_is_exact_or_refused(text: str) -> None:
    variables = {"name": "N", "version": "V"}
    try:
        result = substitute(text, variables)
    except ValueError:
        assert "${" in text
        return
    assert result == text.replace("${name}", "N").replace("${version}", "V")


commands = st.lists(
    st.text(alphabet="ab '#\\", min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=4
)


def _nonempty(script: str) -> Iterator[str]:
    return (line for line in script.split("\n") if line and line != ALIGNED)


@given(commands, commands)
def test_alignment_changes_nothing(wanted: list[str], others: list[str]) -> None:
    chunks = [command + "\n" for command in wanted]
    lines = ["x", *others, *wanted]
    script = align(chunks, lines=lines, start=1)
    assert list(_nonempty(script)) == list(_nonempty("".join(chunks)))
    if script.startswith(ALIGNED):
        for number, line in enumerate(script.split("\n")[1:-1], start=1):
            assert line.strip() in lines[number]
