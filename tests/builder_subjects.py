"""What the conformance suite of builders works with: one builder, small packages, helpers."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lapstrake.artifact.base import Package, PackageType, Platform, RunnerSpec
from lapstrake.artifact.builders.base import Builder, Job
from lapstrake.artifact.identity import Identity, identify
from lapstrake.progress import Progress, Silent

MAKEFILE = """\
all: tree/hello tree/words
tree/hello: hello.txt
\t@echo '>>> Compiling hello'
\t@mkdir -p tree
\t@echo once >> compiled
\ttr a-z A-Z < hello.txt > tree/hello
tree/words:
\t@mkdir -p tree
\t@echo '$(WORDS)' > tree/words
\t@ln -s hello tree/link
.PHONY: all
"""
PREPARE = """\
echo '>>> Preparing'
for file in Makefile hello.txt; do
    cmp -s "$LAPSTRAKE_PACKAGE_DIR/$file" "$file" || cp "$LAPSTRAKE_PACKAGE_DIR/$file" "$file"
done
echo once >> prepared
"""
TREE = Platform(prepare=PREPARE, build='make "$@"', archive="echo archived", output="tree")
"""A platform that leaves a folder."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A builder to be tested.

    Attributes:
        name: of the parameter, such as ``root-userns``.
        builder: the builder.
        folder: the test's own.
        spec: what its packages are built in.
        isolates: False when steps run on the host itself.
        environment: variables that the builder's programs need, for a process of its own.
    """

    name: str
    builder: Builder
    folder: Path
    spec: RunnerSpec
    isolates: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    def package(self, platform: Platform = TREE, **fields: Any) -> Package:
        """A system built by make from one file, with whatever platform is wanted."""
        folder = self.folder / "package"
        folder.mkdir(exist_ok=True)
        for name, text in (("Makefile", MAKEFILE), ("hello.txt", "hello\n")):
            if not (folder / name).exists():
                (folder / name).write_text(text)
        package = Package(
            name="tiny", type=PackageType.SYSTEM, version="1.0", folder=folder, platform=platform,
            runner=self.spec, target="aarch64-unknown-linux-gnu",
        )  # fmt: skip
        return replace(package, **fields)

    def script(self, build: str, **fields: Any) -> Package:
        """A package whose build is a script, and that leaves the folder ``tree``."""
        platform = Platform(build=f"mkdir -p tree\n{build}", **{"output": "tree", **fields})
        return self.package(platform)

    def job(
        self, package: Package, *, checksum: str = "A" * 64, progress: Progress | None = None,
        **fields: Any,
    ) -> Job:  # fmt: skip
        """A job of the package, in folders of the test's own."""
        identity = identify(package, checksum, {})
        job = Job(
            package=package,
            platform=None,
            identity=identity,
            folder=self.folder / "builds" / identity.name,
            downloads=self.folder / "downloads",
            artifacts=self.folder / "artifacts",
            log=self.folder / "build.log",
            progress=progress or Silent(),
            epoch=1_000_000_000,
        )
        return replace(job, **fields)


def top(identity: Identity) -> str:
    """The only folder at an archive's top."""
    return identity.download_name


def contents(archive: Path) -> dict[str, str]:
    """The files of an archive below its top folder, with their text; links as ``-> TARGET``."""
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.partition("/")[2]
            if member.issym():
                found[name] = f"-> {member.linkname}"
            elif member.isfile():
                file = tar.extractfile(member)
                assert file is not None
                found[name] = file.read().decode("utf-8", "replace")
    return found
