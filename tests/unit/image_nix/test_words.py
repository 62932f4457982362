"""What nix says, read."""

from __future__ import annotations

import pytest

from lapstrake.image.sources.nix import _source_of
from lapstrake.image.sources.nix_program import _complaint, package_label
from lapstrake.image.sources.nix_set import without_credentials

OLD = """warning: something
error: gone was renamed

       … while looking at the package 'gone'

       at /x/default.nix:1:1:
"""
NEW = """error:
       … while looking at the package 'gone'
         at /x/default.nix:1:1:

       error: gone was renamed
"""


@pytest.mark.parametrize("log", [OLD, NEW])
def test_the_complaint_of_old_and_new_versions(log: str) -> None:
    assert _complaint(log, "nix-instantiate") == ("gone: gone was renamed", "gone was renamed")


def test_a_program_that_says_nothing() -> None:
    assert _complaint("", "nix-store") == ("nix-store failed", "")


@pytest.mark.parametrize(
    ("path", "label", "source"),
    [
        ("/nix/store/abc-hello-2.12", "hello-2.12", "hello"),
        ("/nix/store/abc-nss-cacert-3.79-unbundled", "nss-cacert-3.79-unbundled", "nss-cacert"),
        ("/nix/store/abc-7zip-22", "7zip-22", "7zip"),
        ("/nix/store/abc-tools", "tools", "tools"),
    ],
)
def test_labels_and_what_changes_together(path: str, label: str, source: str) -> None:
    assert package_label(path) == label
    assert _source_of(path) == source


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://me:secret@example.org:80/x.git", "https://example.org:80/x.git"),
        ("ssh://git@example.org/x", "ssh://example.org/x"),
        ("git@example.org:x/y", "git@example.org:x/y"),
        ("file:///srv/x@y", "file:///srv/x@y"),
    ],
)
def test_credentials_are_not_told(url: str, told: str) -> None:
    assert without_credentials(url) == told
