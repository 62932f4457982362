"""The model of ``lapstrake.toml``, our own bundle format; its JSON schema is in docs/reference.

Importing this loads pydantic: only `lapstrake.bundle.native` does, when it reads a bundle.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from lapstrake.bundle.debian_relations import RelationError, split_relations
from lapstrake.bundle.native_presets import PRESETS
from lapstrake.config.tables import Commands, Duration, Line, RelativePath, Size, Table, Variable

STEPS = ("prepare", "configure", "build", "check", "install")
"""The steps, in the order they run."""

SOURCE_KINDS = ("url", "git", "svn", "hg", "bzr", "fossil", "pypi", "npm")
"""The keys of which a ``[[source]]`` has exactly one."""

_VERSION = r"^[0-9][A-Za-z0-9.+~]*$"
_NAME = r"^[a-z0-9][a-z0-9+.-]+$"
_ADDRESS = re.compile(r"[^<>]+ <[^<>@\s]+@[^<>\s]+>\Z")


def _relation(text: str) -> str:
    try:
        (relation,) = split_relations(text)
    except (RelationError, ValueError):
        raise ValueError(f'{text!r} is not one relation such as "libc6 (>= 2.36) | musl"') from None
    return relation


def _address(text: str) -> str:
    if not _ADDRESS.match(text):
        raise ValueError(f'{text!r} is not an address such as "Ada Lovelace <ada@example.org>"')
    return text


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Relation = Annotated[str, AfterValidator(_relation)]


class Package(Table):
    """What is built."""

    name: str = Field(pattern=_NAME, description="The source package's name.")
    version: str = Field(pattern=_VERSION, description="The upstream version, without a revision.")
    revision: Annotated[str, BeforeValidator(_text, json_schema_input_type=int | str)] = Field(
        default="1",
        pattern=r"^[A-Za-z0-9.+~]*$",
        description='The packaging\'s revision; "0" or "" leaves it out of the version.',
    )
    epoch: int = Field(default=0, ge=0, description="Raised when upstream's versions step back.")
    description: str = Field(
        default="", description="One line; further lines are the long description."
    )
    maintainer: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description='"Name <address>". The configuration\'s maintainer by default.'
    )
    section: Line = Field(default="misc", description="The archive's section (Debian policy 2.4).")
    priority: Literal["required", "important", "standard", "optional", "extra"] = "optional"
    architecture: Literal["any", "all"] = Field(
        default="any", description='"all" when the content is the same on every machine.'
    )
    strip: bool = Field(
        default=True, description="Whether programs and libraries lose their debug information."
    )
    licence: Line | None = Field(default=None, description="An SPDX expression.")
    homepage: Line | None = Field(default=None, description="Where upstream is at home.")


class Source(Table):
    """One source. ``${name}`` and ``${version}`` stand for the package's in all texts but sums."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [kind]} for kind in SOURCE_KINDS]}
    )

    url: str | None = Field(default=None, description="An archive's or a file's URL.")
    git: str | None = Field(default=None, description="A git repository's URL.")
    svn: str | None = Field(default=None, description="A Subversion URL.")
    hg: str | None = Field(default=None, description="A Mercurial repository's URL.")
    bzr: str | None = Field(default=None, description="A Bazaar branch's URL.")
    fossil: str | None = Field(default=None, description="A Fossil repository's URL.")
    pypi: str | None = Field(default=None, description="A project's name on the Python index.")
    npm: str | None = Field(default=None, description="A package's name on the npm registry.")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    sha512: str | None = Field(default=None, pattern="^[0-9a-f]{128}$")
    revision: str | None = Field(
        default=None, description="Commit or revision; for pypi and npm the version."
    )
    tag: str | None = Field(default=None, description="A tag, instead of a revision.")
    branch: str | None = Field(default=None, description="The branch that holds the revision.")
    submodules: bool = Field(default=True, description="Whether git submodules are fetched too.")
    unpack: bool = Field(default=True, description="false: keep the file as it is.")
    name: str | None = Field(default=None, description="The file's or folder's name in the build.")
    path: RelativePath | None = Field(
        default=None, description="The folder below the sources to put it in."
    )

    @model_validator(mode="after")
    def _is_pinned(self) -> Source:
        kinds = [kind for kind in SOURCE_KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            raise ValueError(f"needs exactly one of {', '.join(SOURCE_KINDS)}, has {found}")
        checksums = [sum_ for sum_ in (self.sha256, self.sha512) if sum_]
        if len(checksums) > 1:
            raise ValueError("has both sha256 and sha512: one is enough")
        if self.revision and self.tag:
            raise ValueError("has both revision and tag: one is enough")
        if kinds[0] in ("url", "pypi", "npm"):
            if not checksums:
                raise ValueError(f"{kinds[0]} needs sha256 or sha512")
            if kinds[0] == "url" and (self.revision or self.tag or self.branch):
                raise ValueError("url has no revision, tag or branch")
        elif not (self.revision or self.tag):
            raise ValueError(f"{kinds[0]} needs a revision or a tag")
        return self

    @property
    def kind(self) -> str:
        """Which of `SOURCE_KINDS` it is."""
        return next(kind for kind in SOURCE_KINDS if getattr(self, kind) is not None)

    @property
    def address(self) -> str:
        """The value of that key."""
        return str(getattr(self, self.kind))


class Depends(Table):
    """Relations to other packages, in Debian's syntax."""

    build: list[Relation] = Field(default=[], description="Installed before the build.")
    build_conflicts: list[Relation] = Field(default=[], description="Not installed in the build.")
    run: list[Relation] = Field(
        default=[], description="Needed by every output, besides shared libraries."
    )
    libraries: bool = Field(
        default=True, description="Whether outputs depend on the libraries their programs load."
    )
    toolchain: bool | None = Field(
        default=None,
        description="Whether to install build-essential; by default a preset decides.",
    )


class Steps(Table):
    """The commands, step by step; an empty step does nothing, a missing one is the preset's."""

    use: Literal[tuple(PRESETS)] | None = Field(  # type: ignore[valid-type]
        default=None, description="A preset: default commands for the steps."
    )
    options: list[str] = Field(
        default=[], description="Words that the preset's configure command gets at its end."
    )
    directory: RelativePath | None = Field(
        default=None,
        description="The folder of the sources to run in; the only one there is by default.",
    )
    environment: dict[Variable, str] = Field(default={}, description="Variables for all steps.")
    prepare: Commands | None = Field(default=None, description="Patches, generated files.")
    configure: Commands | None = None
    build: Commands | None = None
    check: Commands | None = Field(default=None, description="The sources' own tests.")
    install: Commands | None = Field(default=None, description="Into $DESTDIR.")

    @model_validator(mode="after")
    def _options_need_a_preset(self) -> Steps:
        if self.options and not (self.use and PRESETS[self.use].takes_options):
            raise ValueError("options are for the presets that have a configure command")
        return self


class Scripts(Table):
    """Maintainer scripts (Debian policy 6), as text; ``#!/bin/sh`` is put first if need be."""

    preinst: str | None = None
    postinst: str | None = None
    prerm: str | None = None
    postrm: str | None = None


class Output(Table):
    """A package that comes out; what it does not say it takes from ``[package]``."""

    name: str | None = Field(default=None, pattern=_NAME, description="The package's own name.")
    files: list[RelativePath] | None = Field(
        default=None,
        description="Globs below $DESTDIR (* ? [] and **); without: all that no other took.",
    )
    description: str | None = None
    section: Line | None = None
    architecture: Literal["any", "all"] | None = None
    depends: list[Relation] = Field(default=[])
    recommends: list[Relation] = Field(default=[])
    suggests: list[Relation] = Field(default=[])
    conflicts: list[Relation] = Field(default=[])
    breaks: list[Relation] = Field(default=[])
    replaces: list[Relation] = Field(default=[])
    provides: list[Relation] = Field(default=[])
    conffiles: list[RelativePath] | None = Field(
        default=None, description="Globs; all files below etc/ by default."
    )
    scripts: Scripts = Scripts()


class Results(Table):
    """Plain files to keep besides packages."""

    files: list[RelativePath] = Field(
        default=[], description="Globs below the folder that the steps run in."
    )


class NeedsTable(Table):
    """What the build asks for beyond the default sandbox."""

    network: bool = Field(default=False, description="Whether steps may reach the network.")
    secrets: list[Variable] = Field(
        default=[], description="Names of the configuration's secrets that steps may read."
    )
    memory: Size | None = Field(
        default=None, ge=1, description='Such as "2GiB"; a number is bytes.'
    )
    disk: Size | None = Field(default=None, ge=1, description='Such as "10GiB"; a number is bytes.')
    time: Duration | None = Field(
        default=None, gt=0, description='Such as "1h30m"; a number is seconds.'
    )


class NativeBundle(Table):
    """A bundle of Lapstrake's own format."""

    package: Package
    source: list[Source] = Field(default=[], description="What is fetched, in order.")
    depends: Depends = Depends()
    steps: Steps = Steps()
    output: list[Output] | None = Field(
        default=None,
        description="The packages; one with everything by default, [] for none.",
    )
    results: Results = Results()
    needs: NeedsTable = NeedsTable()

    @model_validator(mode="after")
    def _outputs_differ(self) -> NativeBundle:
        names = [output.name or self.package.name for output in self.output or ()]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two outputs are called {', '.join(doubled)}")
        if sum(output.files is None for output in self.output or ()) > 1:
            raise ValueError("only one output can go without files: it takes all that is left")
        if self.output != [] and not self.package.description:
            raise ValueError("package.description is missing: packages need one")
        return self
