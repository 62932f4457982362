"""Write the pages of docs/reference that follow from the code.

``./dev docs`` runs it; a test keeps the files equal to what it writes.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

from lapstrake import errors
from lapstrake.artifact.manifest.schema import package_schema, project_schema, schema_text
from lapstrake.bundle.native_presets import PRESETS
from lapstrake.bundle.schema import bundle_schema
from lapstrake.cli.main import COMMANDS, cli
from lapstrake.config.model import Config
from lapstrake.config.read import all_settings
from lapstrake.config.setting import sections_of
from lapstrake.config.view import show
from lapstrake.farm.api.app import create_app
from lapstrake.farm.api.docs import Call, calls
from lapstrake.farm.client import farm
from lapstrake.farm.client.farm import Farm
from lapstrake.farm.client.groups import Groups
from lapstrake.farm.client.tasks import Tasks
from lapstrake.farm.model.states import MOVES
from lapstrake.farm.problems import PROBLEMS
from lapstrake.farm.values.attempts import Attempt, ResourceSample
from lapstrake.farm.values.groups import Group, GroupSpec, MemberSpec
from lapstrake.farm.values.tasks import OutputFile, Requirements, Task, TaskSpec, TaskState

HERE = Path(__file__).resolve().parent
TOOLBOX = HERE.parent / "src" / "lapstrake" / "toolbox"
_NOTE = "<!-- Written by docs/generate.py: change the code it reads, then run ./dev docs. -->\n"
# Defaults that are one host's: what the reference says in their place.
_HOSTS_OWN = {
    "arch": "this machine's",
    "base.suite": "the host's release",
    "artifacts.folder": "`artifacts/` below `work_dir`",
    "cache.download_dir": "`~/.cache/lapstrake/downloads`",
    "work_dir": "`/var/lib/lapstrake` for root, else `~/.local/share/lapstrake`",
}


def pages() -> dict[str, str]:
    """All generated files: path below docs/ → text."""
    return {
        "reference/command-line.md": command_line(),
        "reference/configuration.md": configuration(),
        "reference/exit-codes.md": exit_codes(),
        "reference/native-bundles.md": native_bundles(),
        "reference/packages.md": packages(),
        "reference/aosc-templates.md": aosc_templates(),
        "reference/farm-api.md": farm_api(),
        "reference/python-client.md": python_client(),
        "reference/lapstrake.toml.schema.json": schema_text(),
        "pictures/modules.svg": modules_picture(),
    }


def main() -> int:
    """Write the files that differ; with ``--check`` only name them, and fail."""
    check = "--check" in sys.argv[1:]
    differing = []
    for name, text in pages().items():
        file = HERE / name
        if not file.exists() or file.read_text() != text:
            differing.append(name)
            if not check:
                file.write_text(text)
    for name in differing:
        print(f"{'differs' if check else 'written'}: docs/{name}")  # noqa: T201
    return 1 if check and differing else 0


# --- the command line -----------------------------------------------------------------------------


def command_line() -> str:
    """Every command with its arguments and options, from click's own tree."""
    parts = [
        _NOTE,
        "# Command line\n",
        "Results go to the standard output, everything else to the standard error. "
        "Exit codes are in [their own page](exit-codes.md).\n",
        "## lapstrake\n",
        _command(cli, "lapstrake [OPTIONS] COMMAND ..."),
        "The global options stand before the command.\n",
    ]
    for row in COMMANDS:
        parts += _commands(row.load(), f"lapstrake {row.name}", level=2)
    return "\n".join(parts)


def _commands(command: click.Command, path: str, *, level: int) -> Iterator[str]:
    """A command's section, then those of its own commands."""
    yield f"{'#' * level} {path}\n"
    yield _command(command, _usage(command, path))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in sorted(command.list_commands(context)):
            if inner := command.get_command(context, name):
                yield from _commands(inner, f"{path} {name}", level=level + 1)


def _usage(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path)
    return " ".join([path, *command.collect_usage_pieces(context)])


def _command(command: click.Command, usage: str) -> str:
    rows = [
        _option(parameter) for parameter in command.params if isinstance(parameter, click.Option)
    ]
    lines = [f"```text\n{usage}\n```\n", *_paragraphs(command.help or "")]
    if rows:
        lines.append(_table(("option", "what it does"), rows))
    return "\n".join(lines)


def _paragraphs(text: str) -> Iterator[str]:
    """A help text: paragraphs that click keeps as they are become blocks."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        kept = paragraph.removeprefix("\b\n")
        yield f"{paragraph}\n" if kept == paragraph else f"```text\n{kept}\n```\n"


def _option(option: click.Option) -> tuple[str, str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    value = ""
    if not option.is_flag and not option.count:
        value = option.make_metavar(click.Context(cli)).replace("INTEGER RANGE", "NUMBER")
    text = (option.help or "").strip()
    return (f"{names} `{value}`" if value else names, text)


# --- the configuration ----------------------------------------------------------------------------


def configuration() -> str:
    """Every setting, from the dataclasses that declare it."""
    defaults = Config()
    sections = sections_of(Config)
    parts = [_NOTE, _CONFIGURATION_HEAD]
    table = None
    rows: list[tuple[str, ...]] = []
    for key, setting in all_settings().items():
        section, _, name = key.rpartition(".")
        if section != table:
            parts += _section(rows)
            rows = []
            table = section
            title = inspect.getdoc(sections[section]) if section else "At the top of the file."
            parts.append(f"## {f'[{section}]' if section else 'Top'}\n\n{_title(str(title))}\n")
        rows.append((f"`{name}`", setting.help, _default(defaults, key, setting.variables[1:])))
    return "\n".join([*parts, *_section(rows), _CONFIGURATION_TABLES])


def _section(rows: list[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        yield _table(("key", "what it is", "default"), rows)


def _title(text: str) -> str:
    """``[base]``: the base OS.  →  The base OS."""
    title = text.splitlines()[0].partition(": ")[2] or text
    return title[:1].upper() + title[1:]


def _default(defaults: Config, key: str, variables: tuple[str, ...]) -> str:
    shown = show(defaults, key).value
    text = _HOSTS_OWN.get(key) or ("not set" if shown in (None, "", []) else f"`{_toml(shown)}`")
    also = ", ".join(f"`{name}`" for name in variables)
    return f"{text} (also {also})" if also else text


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


_CONFIGURATION_HEAD = """\
# Configuration

The configuration is a folder with `config.toml` and `source_lists/`. The first of these that has a
`config.toml` holds: the folder of `-c`, of `$LAPSTRAKE_CONFIG`, `~/.config/lapstrake`,
`/etc/lapstrake`, `/etc/aoinb-builder`, `/var/cache/aoinb/conf`. Without any, a built-in
configuration holds, with one branch `stable` made of the host's own release.

`lapstrake config init` writes a starting file with every key explained, `lapstrake config` shows
all values and where each came from.

A value is set by, strongest first: `--set KEY=VALUE`, the variable `LAPSTRAKE_<KEY>` (dots become
underscores: `LAPSTRAKE_LIMITS_MEMORY`), `config.toml`, the default. Sizes are written as `"4GiB"`
or `"500 MB"`, durations as `"90s"`, `"1h30m"`.

`source_lists/NAME.list` (one-line style) or `source_lists/NAME.sources` (deb822 style) makes the
branch `NAME`; see sources.list(5).
"""
_CONFIGURATION_TABLES = """\
## [mirrors] and [[rewrite]]

Where to fetch instead. URLs that begin with the key are tried at each replacement, in order; of
several keys that fit, the longest holds. The URL itself is not tried unless it is among them. The
checksum holds in any case.

```toml
[mirrors]
"https://old.example/pub/" = ["https://near.example/pub/", "https://far.example/pub/"]

[[rewrite]]
from = "https://old.example/one-file.tar.gz"
to = "https://near.example/moved.tar.gz"
```

`debian:///` is built in: it stands for the archive that the host's own apt is set up with.

## [dependency_names]

What a bundle calls a dependency, and the package that it is in the branch; `""` leaves it out.

```toml
[dependency_names]
"glibc" = "libc6"
```

## [secrets]

What builds may ask for by name. The value is in a variable or a file, never in the configuration.

```toml
[secrets]
TOKEN = { env = "MY_TOKEN" }
KEY = { file = "/etc/keys/build.key" }
```
"""


# --- exit codes -----------------------------------------------------------------------------------


def exit_codes() -> str:
    """The codes of `lapstrake.errors`."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, errors.LapstrakeError)
        if kind.__name__ != "Interrupted"  # its code is the signal's
    ]
    rows = [("0", "", "Everything went well.")]
    for kind in sorted(kinds, key=lambda kind: kind.exit_code):
        if kind is errors.StepError:
            continue  # its subclasses name the step
        meaning = _OTHER if kind is errors.LapstrakeError else _one_line(kind)
        rows.append((str(kind.exit_code), f"`{kind.__name__}`", meaning))
    rows.append(("129, 130, 143", "`Interrupted`", _INTERRUPTED))
    return "\n".join([_NOTE, _EXIT_HEAD, _table(("code", "class", "meaning"), rows)])


_INTERRUPTED = "The terminal went away, the user interrupted, the process was told to terminate."
_OTHER = "Something else went wrong, or Lapstrake itself has an error."


def _one_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").splitlines()[0]


_EXIT_HEAD = """\
# Exit codes

The codes are part of the interface: a code is never used for something else later. Each stage of a
build has its own. Classes are those of `lapstrake.errors`.
"""


# --- native bundles -------------------------------------------------------------------------------


def native_bundles() -> str:
    """The tables of ``lapstrake.toml``, from its JSON schema, and the presets."""
    parts = [_NOTE, _NATIVE_HEAD, *_tables(bundle_schema())]
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
    parts = [_NOTE, _PACKAGES_HEAD, *_tables({**package, "properties": ordered})]
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
    table = schema["$defs"][target]
    yield f"## {title}\n\n{_flat(table.get('description', ''))}\n"
    if title != f"[{name}]" and field.get("description"):
        yield f"{field['description']}\n"
    required = table.get("required", ())
    rows = []
    inner: list[tuple[str, Mapping[str, Any]]] = []
    for key, value in table["properties"].items():
        if _reference(value, key)[0]:
            inner.append((f"{name}.{key}", value))
            continue
        rows.append((f"`{key}`", _kind(value), _meaning(value, needed=key in required)))
    yield _table(("key", "value", "what it is"), rows)
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
        return " or ".join(f"`{_toml(word)}`" for word in value["enum"])
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
    return f"{text} Default: `{_toml(default)}`.".strip()


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


# --- AOSC's templates -----------------------------------------------------------------------------


def aosc_templates() -> str:
    """The build templates, the order they are probed in, and what each needs on Debian."""
    tools = tomllib.loads((TOOLBOX / "tools.toml").read_text())
    probe = (TOOLBOX / "aosc" / "probe.sh").read_text()
    order = probe.partition('PROBE_ORDER="')[2].partition('"')[0].split()
    rows = []
    for name in (*order, *(name for name in tools["templates"] if name not in order)):
        place = str(order.index(name) + 1) if name in order else "-"
        needs = ", ".join(f"`{word}`" for word in tools["templates"].get(name, ()))
        rows.append((place, f"`{name}`", needs))
    always = ", ".join(f"`{word}`" for word in tools["always"])
    translated = sum(len(names) for names in tools["names"].values())
    return "\n".join(
        [
            _NOTE,
            _TEMPLATES_HEAD,
            _table(("probed", "template", "on Debian it installs"), rows),
            f"All of them install {always}, too.\n",
            "## Names of dependencies\n",
            f"`tools.toml` knows {translated} of AOSC's names of packages and what they are called "
            "in Debian. A name it does not know is tried as it is; "
            "[`[dependency_names]`](configuration.md#dependency_names) in the configuration goes "
            "before both.\n",
        ]
    )


_TEMPLATES_HEAD = """\
# Templates of AOSC bundles

`ABTYPE` in `defines` names the template. Without it the sources are probed: the first template of
this list that fits is taken. `ABPROBE` in `defines`, or the variable `LAPSTRAKE_PROBE_ORDER`,
changes the order. Templates with a dash are never probed. What each does is in
[the toolbox's own page](../../src/lapstrake/toolbox/aosc/README.md).
"""


# --- the farm -------------------------------------------------------------------------------------


def farm_api() -> str:
    """Every call of the farm's API, from its own OpenAPI document, and the problems it tells."""
    nothing: Any = SimpleNamespace()  # no call is made: only what they are is asked
    document = create_app(nothing).openapi()
    parts = [_NOTE, _API_HEAD]
    for tag, each in groupby(calls(document), key=lambda call: call.tag):
        rows = [
            (f"`{call.method} {call.path}`", call.scope or "none", _what(call), _asked(call))
            for call in each
        ]
        parts.append(f"## {_API_TITLES.get(tag, tag.capitalize())}\n")
        parts.append(_table(("call", "scope", "what it does", "parameters"), rows))
    kinds = [(str(kind.status), f"`/problems/{kind.kind}`", kind.title) for kind in PROBLEMS]
    parts += [_API_PROBLEMS, _table(("status", "type", "title"), kinds), _API_VALUES]
    for kind in _VALUES:
        parts += [f"### {kind.__name__}\n", f"{_flat(_one_line(kind))}\n", *_attributes(kind)]
    states = [(f"`{state.value}`", _legal(state)) for state in TaskState]
    return "\n".join([*parts, _API_STATES, _table(("state", "may become"), states)])


def _what(call: Call) -> str:
    return call.text.split("\n\n")[0]


def _asked(call: Call) -> str:
    return ", ".join(f"`{each['name']}`" for each in call.parameters if each["in"] != "path")


def _legal(state: TaskState) -> str:
    order = list(TaskState)
    return ", ".join(f"`{other.value}`" for other in sorted(MOVES[state], key=order.index))


def _attributes(kind: type) -> Iterator[str]:
    """A dataclass's fields, with what its docstring says of each."""
    told = _told(inspect.getdoc(kind) or "")
    rows = [(f"`{each.name}`", told.get(each.name, "")) for each in fields(kind)]
    if told:
        yield _table(("key", "what it is"), rows)
    else:
        yield f"{', '.join(name for name, _ in rows)}\n"


def _told(text: str) -> Mapping[str, str]:
    """The section ``Attributes`` of a docstring; several names may share a line."""
    _, _, section = text.partition("Attributes:\n")
    entries = re.findall(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: _flat(said) for names, said in entries for name in names.split(", ")}


_API_TITLES = {"seed": "The seven calls of aoinb-builder", "farm": "The farm as a whole"}
_VALUES: tuple[type, ...] = (Task, TaskSpec, Requirements, OutputFile, Attempt, ResourceSample)
_VALUES += (GroupSpec, MemberSpec, Group)
_API_HEAD = """\
# The farm's API

What a server of `lapstrake serve` answers. It describes itself, too: `/api/v1/openapi.json` for
programs (with the types of every body and answer), `/api/v1/docs` for people. What only workers
call is in neither; it changes with the versions.

* A token goes into `Authorization: Bearer TOKEN`; *scope* is what it must allow. A server that only
  its own machine reaches asks nobody as long as no token was made.
* Bodies and answers are JSON. Unknown keys are refused. Times are seconds since 1970, sizes bytes.
* Lists come in pages: `{"items": [...], "next": ...}`; give `next` back as `after`. It is `null` at
  the end.
* With an `Idempotency-Key` (any text of your own) a request may be sent again, when its answer was
  lost: it is done once.
* Live logs and events are streams of server-sent events; the header `Last-Event-ID` resumes them.
"""
_API_PROBLEMS = """\
## Problems

What is refused is a document of RFC 9457 (`application/problem+json`): `type`, `title`, `status`,
`detail` (what is wrong with this request), `resolution` (what to do), `instance` (the path), and
sometimes more, such as `state`.
"""
_API_VALUES = """\
## Values
"""
_API_STATES = """\
## States of a task

Other moves are refused. What has ended badly moves again when a user retries it.
"""


def python_client() -> str:
    """The classes of `lapstrake.farm.client` and their methods, from their docstrings."""
    _, _, example = (inspect.getdoc(farm) or "").partition("::\n\n")
    parts = [_NOTE, _CLIENT_HEAD, f"```python\n{textwrap.dedent(example).strip()}\n```\n"]
    for kind, title in ((Farm, "Farm"), (Tasks, "Farm.tasks"), (Groups, "Farm.groups")):
        parts += [
            f"## {title}\n",
            f"{_flat((inspect.getdoc(kind) or '').split('Attributes:')[0])}\n",
        ]
        rows = [
            (f"`{name}{_signature(method)}`", (inspect.getdoc(method) or "").split("\n\n")[0])
            for name, method in vars(kind).items()
            if inspect.isfunction(method) and not name.startswith("_")
        ]
        parts.append(_table(("method", "what it does"), rows))
    return "\n".join(parts)


def _signature(method: Callable[..., object]) -> str:
    signature = inspect.signature(method)
    own = [each for name, each in signature.parameters.items() if name != "self"]
    text = str(signature.replace(parameters=own))
    text = re.sub(r"(: |-> )'([^']+)'", r"\1\2", text)  # annotations, not defaults
    return re.sub(r"<[^>]+> at \w+>", "...", text)


_CLIENT_HEAD = """\
# The Python client

`lapstrake.farm.client.farm.Farm` is a farm's server for a Python program; it needs no more than
`pip install lapstrake`. Values are those of [the API](farm-api.md#values), in
`lapstrake.farm.values`. What the server refuses is raised as `lapstrake.farm.problems.Problem`,
with what is wrong, what to do about it, and a `status`.
"""


# --- the picture of the packages ------------------------------------------------------------------


def modules_picture() -> str:
    """The levels of the import contract in pyproject.toml, the top one first."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    levels = next(each["layers"] for each in contracts if each["type"] == "layers")
    rows = [[name.strip().rpartition(".")[2] for name in level.split("|")] for level in levels]
    boxes = []
    for number, names in enumerate(rows):
        width = (_FULL - _SPACE * (len(names) - 1)) // len(names)
        for place, name in enumerate(names):
            x = _LEFT + place * (width + _SPACE)
            boxes.append(_box(x, _TOP + number * _STEP, width, name))
    height = _TOP + len(rows) * _STEP + 24
    told = "; ".join(" beside ".join(names) for names in rows)
    return _PICTURE.format(height=height, last=height - 12, told=told, boxes="\n".join(boxes))


def _box(x: int, y: int, width: int, name: str) -> str:
    color = "#fca5a5" if name == "host" else "#bae6fd"
    return (
        f'  <rect x="{x}" y="{y}" width="{width}" height="30" rx="4" fill="{color}"'
        f' stroke="#334155"/>\n'
        f'  <text x="{x + width // 2}" y="{y + 20}" text-anchor="middle">{name}</text>'
    )


_LEFT, _TOP, _FULL, _SPACE, _STEP = 24, 16, 480, 8, 36
_PICTURE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 528 {height}" font-family="sans-serif" \
font-size="14" fill="#0f172a" role="img" aria-labelledby="title description">
  <title id="title">The packages of Lapstrake</title>
  <desc id="description">Levels, from the top: {told}. A level may import those below it.</desc>
  <rect width="528" height="{height}" rx="10" fill="#f8fafc"/>
{boxes}
  <text x="24" y="{last}" font-size="11" fill="#475569">a level may import the levels below it; \
neighbours do not import each other</text>
</svg>
"""


# --- Markdown -------------------------------------------------------------------------------------


def _flat(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(header)
    lines = [_row(titles), "|" + "---|" * len(titles), *(_row(cells) for cells in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_flat(cell).replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
