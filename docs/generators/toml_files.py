"""The pages of ``lapstrake.toml``: native bundles, packages and projects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generators.markdown import NOTE, flat, table, toml_text
from lapstrake.artifact.manifest.schema import package_schema, project_schema
from lapstrake.bundle.native_presets import PRESETS
from lapstrake.bundle.schema import bundle_schema


def native_bundles() -> str:
    """The tables of ``lapstrake.toml``, from its JSON schema, and the presets."""
    parts = [NOTE, _NATIVE_HEAD, *_tables(bundle_schema())]
    parts.append('## Presets\n\nWhat `use = "..."` in `[steps]` stands for.\n')
    for name, preset in PRESETS.items():
        needed = [*(["build-essential"] if preset.toolchain else []), *preset.build_depends]
        parts.append(f"### {name}\n\nNeeds {', '.join(f'`{word}`' for word in needed)}.\n")
        for step, text in preset.steps.items():
            parts.append(f"`{step}`:\n\n```sh\n{text.rstrip()}\n```\n")
    return "\n".join(parts)


def packages() -> str:
    """The tables of a ``lapstrake.toml`` with a package or a project, from their JSON schemas."""
    package, project = package_schema(), project_schema()
    own = {name: field for name, field in project["properties"].items() if name in _OF_PROJECTS}
    ordered = {name: package["properties"][name] for name in _PACKAGE_ORDER}
    parts = [NOTE, _PACKAGES_HEAD, *_tables({**package, "properties": ordered})]
    return "\n".join([*parts, _PROJECTS_HEAD, *_tables({**project, "properties": own})])


_OF_PROJECTS = ("project", "firmware")
_PACKAGE_ORDER = (
    "package", "platform", "runner", "site", "env", "dependencies", "overrides", "digests",
)  # fmt: skip


def _tables(schema: Mapping[str, Any]) -> Iterator[str]:
    """The sections of a file's tables, in their order."""
    for name, field in schema["properties"].items():
        yield from _file_table(schema, name, field)


def _file_table(schema: Mapping[str, Any], name: str, field: Mapping[str, Any]) -> Iterator[str]:
    """One table's section, and that of the tables in it."""
    target, title = _reference(field, name)
    if not target:
        yield f"## [{name}]\n\n{field.get('description', '')}\n"
        return
    held = schema["$defs"][target]
    yield f"## {title}\n\n{flat(held.get('description', ''))}\n"
    if title != f"[{name}]" and field.get("description"):
        yield f"{field['description']}\n"
    required = held.get("required", ())
    rows = []
    inner: list[tuple[str, Mapping[str, Any]]] = []
    for key, value in held["properties"].items():
        if _reference(value, key)[0]:
            inner.append((f"{name}.{key}", value))
            continue
        rows.append((f"`{key}`", _kind(value), _meaning(value, needed=key in required)))
    yield table(("key", "value", "what it is"), rows)
    for path, value in inner:
        yield from _file_table(schema, path, value)


def _reference(field: Mapping[str, Any], name: str) -> tuple[str, str]:
    """The table that a field holds, empty for none, and how its header is written."""
    for choice in (field, *field.get("anyOf", ())):
        if "$ref" in choice:
            return _last(choice["$ref"]), f"[{name}]"
        if "$ref" in choice.get("items", {}):
            return _last(choice["items"]["$ref"]), f"[[{name}]]"
        for named in choice.get("patternProperties", {}).values():
            if "$ref" in named:
                return _last(named["$ref"]), f"[{name}.NAME]"
    return "", ""


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]


def _kind(value: Mapping[str, Any]) -> str:
    if "enum" in value:
        return " or ".join(f"`{toml_text(word)}`" for word in value["enum"])
    if "anyOf" in value:
        kinds = [_kind(choice) for choice in value["anyOf"] if choice.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    kind = value.get("type", "")
    if kind == "array":
        items = _kind(value["items"])
        return f"list of ({items})" if " or " in items and "`" not in items else f"list of {items}"
    names = {"string": "text", "boolean": "true or false", "integer": "whole number"}
    return "table of texts" if kind == "object" else names.get(kind, kind)


def _meaning(value: Mapping[str, Any], *, needed: bool) -> str:
    text: str = value.get("description", "")
    default = value.get("default")
    if needed:
        return f"{text} Must be there.".strip()
    if default in (None, "", [], {}):
        return text
    return f"{text} Default: `{toml_text(default)}`.".strip()


_PACKAGES_HEAD = """\
# Packages and projects: lapstrake.toml

A `lapstrake.toml` whose `[package]` has a `type` describes a *package*: a system, a toolchain, or a
tool, of which an *artifact* is made. With `[project]` instead it describes an application that
needs such packages. (A `[package]` without a type is a [bundle](native-bundles.md).) Editors that
know JSON Schema complete and check the file with
[lapstrake.toml.schema.json](lapstrake.toml.schema.json).

All commands look for the file in the current folder, then in the folders around it. A project is
that file's package or application and all that it depends on, however far away: one name is one
package everywhere, and at most one of them is a system, and one a toolchain. Where two manifests
want different packages of one name, `[overrides.NAME]` of the topmost file decides.

```toml
[package]
name = "system_board"
type = "system"
version_file = "VERSION"
target = "aarch64-unknown-linux-gnu"
checksum = ["VERSION", "lapstrake.toml", "board_defconfig", "rootfs_overlay", "patches/*.patch"]

[platform]
name = "buildroot"
package = "system_br"
defconfig = "board_defconfig"

[runner]
make_args = ["BR2_JLEVEL=4"]
docker = { tag = "registry.example/system_br:1.2" }

[[site]]
github = "owner/system_board"

[[site]]
url = "https://artifacts.example/board"
headers = { Authorization = "Bearer ${ARTIFACTS_TOKEN}" }

[dependencies.system_br]
git = "https://git.example/system_br.git"
tag = "v1.2.0"

[dependencies.toolchain_aarch64]
path = "../toolchain_aarch64"
build = true
```

Paths are relative to the folder of the file, and what a package is made of stays below it.
In `headers`, `query` and `token` of a site, `${VARIABLE}` stands for a variable of the environment;
it is filled in when the site is asked, and never shown. In `[env]` it stands for a variable that
was set before. Nowhere else is anything filled in.

A package that is fetched is kept below `packages/` of the work folder, and not asked for again: a
tag that moves later is not noticed. Paths in it cannot lead out of what was fetched.
"""
_PROJECTS_HEAD = """\
## Projects

A project's file has `[project]` in place of `[package]`. It may also have `[env]`,
`[dependencies.NAME]` and `[overrides.NAME]`, and besides:
"""
_NATIVE_HEAD = """\
# Native bundles: lapstrake.toml

A folder with a file `lapstrake.toml` is a bundle (with a `type` in `[package]`, or with
`[project]`, it is [something else](packages.md)). Editors that know JSON Schema complete and check
it with [lapstrake.toml.schema.json](lapstrake.toml.schema.json). Small examples are in
[examples/native](../../examples/native), a walk through one in
[the tutorial](../tutorials/native-bundle.md).

In the texts of a `[[source]]` (but for the sums) and in `steps.directory`, `${name}` and
`${version}` stand for those of `[package]`. Steps are shell text, where the shell's own rules hold;
the shell stops at the first command that fails, and the message names its line in `lapstrake.toml`.

Steps see these variables:

| variable | is |
|---|---|
| `DESTDIR` | where to install to; what is there goes into the packages |
| `SRCDIR` | the folder each step starts in |
| `BUNDLE` | a copy of the bundle's own folder |
| `JOBS` | how many processes to run at a time |
| `ARCH`, `MULTIARCH` | Debian's names for the machine: `amd64`, `x86_64-linux-gnu` |
| `CC`, `CXX`, `CROSS_COMPILE` … | with `--target`: [cross compiler](../how-to/cross-packages.md) |
| `NAME`, `VERSION` | the package's name and its full version |
| `SOURCE_DATE_EPOCH` | the time to write into files, for reproducible builds |
"""
