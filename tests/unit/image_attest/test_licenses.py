"""Licences of Debian packages as SPDX expressions."""

from __future__ import annotations

from pathlib import Path

import pytest
from license_expression import get_spdx_licensing  # type: ignore[import-untyped]

from lapstrake.image.attest.licenses import _NAMES, debian_licenses, license_references

_SPDX = get_spdx_licensing()


@pytest.mark.parametrize(
    ("names", "expression"),
    [
        (["GPL-2"], "GPL-2.0-only"),
        (["GPL-2+"], "GPL-2.0-or-later"),
        (["gpl-3.0+"], "GPL-3.0-or-later"),
        (["LGPL-2.1"], "LGPL-2.1-only"),
        (["LGPL-2+"], "LGPL-2.0-or-later"),
        (["GFDL-1.3+"], "GFDL-1.3-or-later"),
        (["GPL-9"], "LicenseRef-GPL-9"),
        (["Expat", "MIT"], "MIT"),
        (["ISC", "Zlib"], "ISC AND Zlib"),
        (["GPL-2+ or Artistic-2.0"], "GPL-2.0-or-later OR Artistic-2.0"),
        (["ISC or Zlib and curl"], "ISC OR (Zlib AND curl)"),
        (["ISC or Zlib, and curl"], "(ISC OR Zlib) AND curl"),
        (["ISC and Zlib, or curl"], "(ISC AND Zlib) OR curl"),
        (["GPL-2+ with OpenSSL exception"], "LicenseRef-GPL-2-with-OpenSSL-exception"),
        (["???"], "LicenseRef-unnamed"),
        (["ISC" + " " * 500_000 + "or" + "\t" * 500_000 + "Zlib"], "ISC OR Zlib"),
    ],
)
def test_expressions(names: list[str], expression: str) -> None:
    text = "Format: https://x/\n\n" + "\n".join(f"Files: *\nLicense: {name}\n" for name in names)
    assert debian_licenses(text) == expression


def test_every_name_that_is_translated_is_one_of_spdx() -> None:
    assert not _SPDX.unknown_license_keys(" AND ".join(sorted(set(_NAMES.values()))))


def test_free_text_is_not_guessed_at() -> None:
    assert debian_licenses("This package is free.\nLicense: GPL-2\n") == ""


def test_what_this_host_has_gives_expressions_that_spdx_reads() -> None:
    files = sorted(Path("/usr/share/doc").glob("*/copyright"))
    found = {
        debian_licenses(file.read_text(encoding="utf-8", errors="replace")) for file in files
    } - {""}
    if not found:
        pytest.skip("this host's documentation has no machine-readable copyright files")
    for expression in found:
        unknown = set(_SPDX.unknown_license_keys(expression))
        assert unknown <= set(license_references(expression)), expression
