"""What goes into a build root."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.build.buildroot import BUILDROOT, stage_buildroot
from lapstrake.bundle.native import read
from lapstrake.errors import BundleError
from lapstrake.names import Arch
from lapstrake.runner.local import LocalRunner

_BUNDLE = '[package]\nname = "tiny"\nversion = "1"\ndescription = "does"\n'


def test_a_work_folder_in_the_bundle_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    for inner in (folder / "work/scratch", folder / "work/entered"):
        inner.mkdir(parents=True)
    (folder / "lapstrake.toml").write_text(_BUNDLE)
    bundle = read(folder, arch=Arch.AMD64)
    (tmp_path / "other-name").symlink_to(folder)
    with LocalRunner().open((), folder / "work/entered") as session:
        for scratch in (folder / "work/scratch", tmp_path / "other-name/work/scratch"):
            with pytest.raises(BundleError, match="folder of the bundle"):
                stage_buildroot(session, bundle, (), scratch=scratch)
            assert not any(scratch.iterdir())


def test_a_work_folder_beside_the_bundle_is_none_in_it(tmp_path: Path) -> None:
    for name in ("bundle", "bundle-work", "entered"):
        (tmp_path / name).mkdir()
    (tmp_path / "bundle/lapstrake.toml").write_text(_BUNDLE)
    bundle = read(tmp_path / "bundle", arch=Arch.AMD64)
    with LocalRunner().open((), tmp_path / "entered") as session:
        stage_buildroot(session, bundle, (), scratch=tmp_path / "bundle-work")
        session.get(BUILDROOT / "bundle", tmp_path / "copy")
    assert (tmp_path / "copy/lapstrake.toml").read_text() == _BUNDLE
