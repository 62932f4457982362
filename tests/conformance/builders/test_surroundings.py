"""What steps see: variables, the package and its platform, artifacts, downloads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builder_subjects import Subject, contents
from lapstrake.artifact.base import PackageType

_SCRIPT = """
    cp "$LAPSTRAKE_PLATFORM_DIR/machinery" tree/machinery
    cp "$LAPSTRAKE_INPUT_CROSS_GCC/cc" tree/cc
    cp "$NERVES_TOOLCHAIN/cc" tree/nerves
    test "$LAPSTRAKE_PACKAGE_DIR/hello.txt" -ef "$LAPSTRAKE_PACKAGE_DIR/./hello.txt"
    test "$PWD" = "$LAPSTRAKE_BUILD_DIR"
    test "$NERVES_BR_DL_DIR" = "$LAPSTRAKE_DL_DIR"
    echo fetched > "$LAPSTRAKE_DL_DIR/source"
    echo "$LAPSTRAKE_PACKAGE $LAPSTRAKE_VERSION $LAPSTRAKE_TARGET" > tree/names
    echo "$LAPSTRAKE_ARTIFACT_NAME $LAPSTRAKE_ARTIFACT_FILE" >> tree/names
    echo "$LAPSTRAKE_JOBS $SOURCE_DATE_EPOCH $OWN ${BINDIR-unset}" >> tree/names
"""
_EVIL = """
    for place in "$LAPSTRAKE_PACKAGE_DIR" "$NERVES_TOOLCHAIN" "$LAPSTRAKE_PLATFORM_DIR"; do
        test -d "$place"
        if (echo evil > "$place/evil"); then echo "$place" >> tree/written; fi
    done
"""


def _folder(path: Path, **files: str) -> Path:
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def test_steps_see_what_they_need_and_change_nothing_else(subject: Subject) -> None:
    package = subject.script(_SCRIPT + (_EVIL if subject.isolates else ""))
    platform = replace(
        package, name="machinery", type=PackageType.SYSTEM_PLATFORM,
        folder=_folder(subject.folder / "a, b: c=d" / "platform", machinery="cogs\n"),
    )  # fmt: skip
    job = subject.job(
        package,
        platform=platform,
        inputs={"cross-gcc": _folder(subject.folder / "cross" / "gcc-1.0", cc="cc\n")},
        toolchain="cross-gcc",
        environment={"OWN": 'it\'s "mine" $HOME'},
        jobs=3,
    )
    seen = contents(subject.builder.build(job))
    assert (seen["machinery"], seen["cc"], seen["nerves"]) == ("cogs\n", "cc\n", "cc\n")
    assert seen["names"].splitlines() == [
        "tiny 1.0 aarch64-unknown-linux-gnu",
        "tiny-portable-1.0-AAAAAAA tiny-portable-1.0-AAAAAAA.tar.gz",
        '3 1000000000 it\'s "mine" $HOME unset',
    ]
    assert [file.read_text() for file in job.downloads.rglob("source")] == ["fetched\n"]
    assert "written" not in seen
    assert not list(subject.folder.rglob("evil"))
