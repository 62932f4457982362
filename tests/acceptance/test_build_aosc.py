"""AOSC bundles through the program: the example tree, old names, evaluation in a root, failures."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from clean_root import install_and_run
from lapstrake.errors import BundleError
from shop import EXAMPLES, Shop, content, control, file_of
from webserver import Site, serve

TREE = EXAMPLES / "tree"
DEFINES = "PKGNAME=sample\nPKGSEC=utils\nPKGDES='A sample'\nABSPLITDBG=no\n"
INSTALL = 'install -Dm644 /dev/null "$PKGDIR"/usr/share/sample/file\n'

# Bundle, template, and paths (with modes) that its package must have.
TEMPLATES = [
    ("app-network/corkscrew", "autotools", {"/usr/bin/corkscrew": "-rwxr-xr-x"}),
    ("app-network/fping", "autotools", {"/usr/bin/fping": "-r-sr-xr-x"}),
    ("lang-tcl/jimtcl", "autosetup", {"/usr/bin/jimsh": "-rwxr-xr-x"}),
    ("app-devel/cmocka", "cmakeninja", {"/usr/lib/libcmocka-static.a": "-rw-r--r--"}),
    ("runtime-data/serd", "meson", {"/usr/bin/serdi": "-rwxr-xr-x"}),
    ("runtime-multimedia/lv2", "waf", {"/usr/lib/pkgconfig/lv2.pc": "-rw-r--r--"}),
    ("app-examples/greet-go", "gomod", {"/usr/bin/greet-go": "-rwxr-xr-x"}),
    ("lang-python/semver", "pep517", {"/usr/bin/pysemver": "-rwxr-xr-x"}),
    (
        "lang-perl/perl-string-shellquote",
        "perl",
        {"/usr/share/perl5/String/ShellQuote.pm": "-r--r--r--"},
    ),
    ("app-examples/greet-rust", "rust", {"/usr/bin/greet": "-rwxr-xr-x"}),
    ("lang-python/six", "python", {"/usr/lib/python3/dist-packages/six.py": "-rw-r--r--"}),
    ("app-examples/greet-qmake", "qtproj", {"/usr/bin/greet-qmake": "-rwxr-xr-x"}),
    ("app-examples/greet-ruby", "ruby", {"/usr/bin/greet-ruby": "-rwxr-xr-x"}),
    (
        "lang-js/is-number",
        "npm",
        {"/usr/lib/node_modules/is-number/package.json": "-rw-r--r--"},
    ),
    (
        "runtime-web/http-parser",
        "plainmake",
        {
            "/usr/include/http_parser.h": "-rw-r--r--",
            "/usr/lib/libhttp_parser.so.2.9.4": "-rwxr-xr-x",
        },
    ),
    ("app-utils/aeskeyfind", "self", {"/usr/bin/aeskeyfind": "-rwxr-xr-x"}),
    ("app-utils/rsakeyfind", "self", {"/usr/bin/rsakeyfind": "-rwxr-xr-x"}),
    ("app-web/micro-httpd", "plainmake", {"/usr/bin/micro_httpd": "-rwxr-xr-x"}),
    ("meta-bases/base-example", "dummy", {}),
]


def bundle(shop: Shop, name: str = "sample", **files: str) -> Path:
    """Write a bundle without sources; ``__`` stands for a slash."""
    folder = shop.scratch() / name
    texts: Mapping[str, str] = {
        "spec": "VER=1.0\nDUMMYSRC=1\n",
        "autobuild/defines": DEFINES,
        "autobuild/build": INSTALL,
        **{key.replace("__", "/"): text for key, text in files.items()},
    }
    for path, text in texts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def built(shop: Shop, branch: str, name: str) -> Path:
    """The one package of a name."""
    (deb,) = shop.output(branch).glob(f"{name}_*.deb")
    return deb


@pytest.mark.slow
def test_the_whole_tree_as_one_group(shop: Shop, branch: str) -> None:
    """Then parts of it are installed in a clean root, and run."""
    listed = shop.scratch() / "everything"
    specs = sorted(TREE.glob("*/*/spec"))
    listed.write_text("".join(f"{spec.parent.relative_to(TREE)}\n" for spec in specs))
    done = shop.run("build", "--group", "--workers", "2", "--json", str(listed), branch)
    members = json.loads(done.stdout)
    assert done.status == 0, [(row["name"], row["reason"]) for row in members]
    assert len(members) == len(specs) >= 20
    records = {row["name"]: row["record"] for row in members}
    for name, template, paths in TEMPLATES:
        assert f"with {template}\n" in shop.log({"id": records[name]})
        found = content(built(shop, branch, name.partition("/")[2]))
        assert {path: found[path].split()[0] for path in paths} == paths
    order = [row["name"] for row in members]
    assert order.index("meta-bases/base-example") > order.index("app-network/fping")
    dummy = control(built(shop, branch, "base-example"))
    assert dummy["Version"].startswith("1:")
    assert dummy["Depends"] == "corkscrew, fping"
    assert "finger" in control(built(shop, branch, "fingerd"))["Depends"]
    assert content(built(shop, branch, "fping"))["/usr/bin/fping"] == "-r-sr-xr-x root/root"
    assert "/etc/default/micro-httpd" in content(built(shop, branch, "micro-httpd"))
    httpd = control(built(shop, branch, "micro-httpd"))["Version"]  # the archive's is newer
    run = "fping --version; command -v corkscrew; greet-go; id -u micro-httpd"
    packages = f"base-example micro-httpd={httpd} greet-go"
    said = install_and_run(shop, branch, packages, run).splitlines()
    assert said[0].startswith("fping: Version")
    assert "/usr/bin/corkscrew" in said
    assert said[-1] == "380"


def test_found_by_the_name_of_its_package(shop: Shop, branch: str) -> None:
    record = shop.build("fingerd", branch)
    assert record["name"] == "finger"
    names = {row["name"].partition("_")[0] for row in record["outputs"]}
    assert names >= {"finger", "fingerd"}


def test_a_template_is_probed_once(shop: Shop, branch: str, site: Site) -> None:
    """The defines say nothing; the sources have a ``Makefile``."""
    make = (
        "all:\n\techo made > made\ninstall:\n\tinstall -D made $(DESTDIR)/usr/share/sample/made\n"
    )
    folder = bundle(shop, "probed", spec=_spec(site, Makefile=make))
    (folder / "autobuild/build").unlink()
    probing = ">>> probing which template builds it"
    assert probing in shop.ok("build", str(folder), branch).stderr
    assert probing not in shop.ok("build", str(folder), branch).stderr
    assert "/usr/share/sample/made" in content(built(shop, branch, "sample"))


def test_evaluated_in_the_root(each_shop: Shop) -> None:
    """An alias needs a real shell: the branch's own, not the host's."""
    branch = each_shop.branch()
    lines = (
        "shopt -s expand_aliases\nalias word='echo bash'\n"
        'PKGDEP="$(word)"\nPKGSUG="$(. /etc/os-release; echo $ID)"\n'
    )
    folder = bundle(each_shop, autobuild__defines=DEFINES + lines)
    each_shop.build(folder, branch)
    fields = control(built(each_shop, branch, "sample"))
    assert fields["Depends"].startswith("bash (>= ")
    assert fields["Suggests"] == "debian"


def test_bash_tells_where_a_spec_fails(shop: Shop, branch: str) -> None:
    """The brief names the user's file, and bash's own words follow, with its name too."""
    code = BundleError.exit_code
    spec = "VER=$(no-such-program)\nREL=1\n"
    missing = shop.fails(code, "build", str(bundle(shop, spec=spec)), branch)
    assert "sample/spec:1: VER is missing" in missing.stderr
    assert "sample/spec: line 1: no-such-program: command not found" in missing.stderr
    unended = DEFINES + 'if [ "$ARCH" = amd64 ]; then\nPKGDEP=x\n'
    wrong = shop.fails(code, "build", str(bundle(shop, autobuild__defines=unended)), branch)
    assert "error: sample/autobuild/defines: bash could not evaluate it" in wrong.stderr
    assert "sample/autobuild/defines: line " in wrong.stderr
    assert "/evaluate/" not in wrong.stderr


def test_old_names_in_the_spec(shop: Shop, branch: str, site: Site) -> None:
    spec = _spec(site, note="from the archive\n")
    spec = spec.replace("SRCS='tbl::", "SRCTBL='").replace("CHKSUMS", "CHKSUM")
    install = 'install -Dm644 note "$PKGDIR"/usr/share/sample/note\n'
    record = shop.build(bundle(shop, spec=spec, autobuild__build=install), branch)
    assert list(record["inputs"]["sources"]) == ["1.0.bin"]
    note = file_of(built(shop, branch, "sample"), "/usr/share/sample/note")
    assert note == b"from the archive\n"


def test_own_package_goes_before_another_name(shop: Shop, branch: str) -> None:
    """``zlib`` means Debian's zlib1g-dev, until the branch has built a ``zlib`` of its own."""
    shop.build(shop.bundle("zlib"), branch)
    folder = bundle(shop, autobuild__defines=DEFINES + "BUILDDEP=zlib\nPKGDEP=zlib\n")
    record = shop.build(folder, branch)
    assert "zlib=1-1" in record["inputs"]["packages"]
    assert control(built(shop, branch, "sample"))["Depends"] == "zlib (>= 1-1)"


def test_a_group_is_ordered_by_aoscs_own_names(shop: Shop, branch: str) -> None:
    """``zlib`` has another name in Debian, which the group's own package goes before."""
    user = bundle(shop, "aa-user", autobuild__defines=DEFINES + "BUILDDEP=zlib\n")
    maker = bundle(
        shop,
        "zz-zlib",
        autobuild__defines=DEFINES.replace("sample", "zlib"),
        autobuild__build=INSTALL.replace("sample", "zlib"),
    )
    words = ("build", "--group", "--json", str(user), str(maker), branch)
    planned = json.loads(shop.ok(*words, "--dry-run").stdout)
    assert [row["name"] for row in planned] == [str(maker), str(user)]
    rows = json.loads(shop.ok(*words).stdout)
    assert [row["name"] for row in rows] == [str(maker), str(user)]
    record = json.loads((shop.records() / rows[1]["record"] / "record.json").read_text())
    assert "zlib=1.0" in [line.removesuffix("-0") for line in record["inputs"]["packages"]]


@pytest.mark.parametrize(
    ("files", "code", "told"),
    [
        ({"autobuild__prepare": "true\nfalse\n"}, 12, "autobuild/prepare:2"),
        ({"autobuild__patches__1.patch": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"}, 12, "1.patch"),
        ({"autobuild__build": "exit 7\n"}, 14, ""),
        ({"autobuild__build": "true\n"}, 15, "the build left no"),
        ({"autobuild__build": 'mkdir -p "$PKGDIR"/usr/local\n'}, 16, "E321"),
        ({"autobuild__defines": DEFINES + "PKGREP='a||b'\n"}, 17, "a||b"),
    ],
    ids=["prepare", "patch", "build", "install", "qa", "pack"],
)
def test_exit_codes(shop: Shop, branch: str, files: dict[str, str], code: int, told: str) -> None:
    failed = shop.build_fails(code, bundle(shop, **files), branch)
    assert told in shop.log(failed)
    assert not shop.output(branch).exists()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"spec": "REL=1\n"}, "VER is missing"),
        ({"autobuild__defines": "PKGNAME=sample\n"}, "PKGSEC is missing"),
        ({"autobuild__defines": DEFINES + "ABTYPE=cmaek\n"}, "'cmaek' is no build template"),
        ({"spec": "VER=1\nSRCS='a b'\nCHKSUMS='x'\n"}, "spec:"),
    ],
)
def test_wrong_bundles(shop: Shop, branch: str, files: dict[str, str], told: str) -> None:
    assert told in shop.fails(6, "build", str(bundle(shop, **files)), branch).stderr


def _tarball_bytes(**files: str) -> bytes:
    """A compressed archive of one folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"top/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def _spec(site: Site, **files: str) -> str:
    """A spec whose only source is an archive of these files."""
    data = _tarball_bytes(**files)
    url = site.put("/old-1.0.tar.gz", serve(data))
    return f"VER=1.0\nSRCS='tbl::{url}'\nCHKSUMS='sha256::{hashlib.sha256(data).hexdigest()}'\n"
