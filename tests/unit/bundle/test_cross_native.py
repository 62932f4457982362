"""Native bundles that are read to be cross-compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.bundle import native
from lapstrake.bundle.base import Bundle
from lapstrake.bundle.native_presets import PRESETS
from lapstrake.errors import BundleError
from lapstrake.names import Arch

HEAD = '[package]\nname = "greet"\nversion = "1"\ndescription = "greets"\n'


def crossed(folder: Path, text: str) -> Bundle:
    (folder / "lapstrake.toml").write_text(HEAD + text)
    return native.read(folder, arch=Arch.ARM64, crossed=True)


@pytest.mark.parametrize("use", sorted(name for name, each in PRESETS.items() if each.crosses))
def test_presets_check_nothing(tmp_path: Path, use: str) -> None:
    bundle = crossed(tmp_path, f'[steps]\nuse = "{use}"\ncheck = "./greet"\n')
    assert not [name for name in bundle.files if name.endswith("-check.sh")]
    assert b"Architecture: arm64\n" in bundle.files["outputs/10-greet/control"]
    own = native.read(tmp_path, arch=Arch.AMD64)
    assert [name for name in own.files if name.endswith("-check.sh")]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[steps]\nuse = "python"\n', 6, "'python' does not cross-compile for arm64"),
        ('architecture = "all"\n', 5, "for all architectures, not for arm64"),
    ],
)
def test_what_has_no_target(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(BundleError) as caught:
        crossed(tmp_path, text)
    assert f"lapstrake.toml:{line}: " in caught.value.brief
    assert said in caught.value.brief


def test_one_package_of_the_target_suffices(tmp_path: Path) -> None:
    tables = '[[output]]\nname = "greet-data"\narchitecture = "all"\nfiles = ["usr/share"]\n'
    bundle = crossed(tmp_path, f"{tables}[[output]]\n")
    assert bundle.provides == ("greet-data", "greet")
