"""Every bundle of the examples' tree builds, with its template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Build

TREE = Path(__file__).parents[3] / "examples/tree"

# bundle, template, and paths (with modes) that the package must have.
BUNDLES = [
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


@pytest.mark.parametrize("bundle, template, content", BUNDLES, ids=lambda value: str(value)[:40])
def test_bundle_builds_with_its_template(
    build: Build,
    modes: Callable[[Path], dict[str, str]],
    bundle: str,
    template: str,
    content: dict[str, str],
) -> None:
    built = build(TREE / bundle)
    assert built.status == 0, built.log
    assert f"with {template}\n" in built.log
    found = modes(built.package)
    assert {path: found.get(path) for path in content} == content
