"""The pages of the farm's API and of its Python client."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from itertools import groupby
from types import SimpleNamespace
from typing import Any

from generators.markdown import NOTE, flat, one_line, table
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


def farm_api() -> str:
    """Every call of the farm's API, from its own OpenAPI document, and the problems it tells."""
    nothing: Any = SimpleNamespace()  # no call is made: only what they are is asked
    document = create_app(nothing).openapi()
    parts = [NOTE, _API_HEAD]
    for tag, each in groupby(calls(document), key=lambda call: call.tag):
        rows = [
            (f"`{call.method} {call.path}`", call.scope or "none", _what(call), _asked(call))
            for call in each
        ]
        parts.append(f"## {_API_TITLES.get(tag, tag.capitalize())}\n")
        parts.append(table(("call", "scope", "what it does", "parameters"), rows))
    kinds = [(str(kind.status), f"`/problems/{kind.kind}`", kind.title) for kind in PROBLEMS]
    parts += [_API_PROBLEMS, table(("status", "type", "title"), kinds), _API_VALUES]
    for kind in _VALUES:
        parts += [f"### {kind.__name__}\n", f"{flat(one_line(kind))}\n", *_attributes(kind)]
    states = [(f"`{state.value}`", _legal(state)) for state in TaskState]
    return "\n".join([*parts, _API_STATES, table(("state", "may become"), states)])


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
        yield table(("key", "what it is"), rows)
    else:
        yield f"{', '.join(name for name, _ in rows)}\n"


def _told(text: str) -> Mapping[str, str]:
    """The section ``Attributes`` of a docstring; several names may share a line."""
    _, _, section = text.partition("Attributes:\n")
    entries = re.findall(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: flat(said) for names, said in entries for name in names.split(", ")}


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
    parts = [NOTE, _CLIENT_HEAD, f"```python\n{textwrap.dedent(example).strip()}\n```\n"]
    for kind, title in ((Farm, "Farm"), (Tasks, "Farm.tasks"), (Groups, "Farm.groups")):
        parts += [
            f"## {title}\n",
            f"{flat((inspect.getdoc(kind) or '').split('Attributes:')[0])}\n",
        ]
        rows = [
            (f"`{name}{_signature(method)}`", (inspect.getdoc(method) or "").split("\n\n")[0])
            for name, method in vars(kind).items()
            if inspect.isfunction(method) and not name.startswith("_")
        ]
        parts.append(table(("method", "what it does"), rows))
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
