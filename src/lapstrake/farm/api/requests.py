"""What clients may send: strict about types, unknown keys, sizes. See `lapstrake.farm.values`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Header
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
)

from lapstrake.farm.values.groups import GroupSpec, MemberSpec
from lapstrake.farm.values.scopes import Scope
from lapstrake.farm.values.tasks import Requirements, TaskKind, TaskSpec

LARGEST = 2**53
"""What JSON's readers agree on."""
_BYTES = Field(ge=0, le=LARGEST)


def _is_text(value: object) -> object:
    """Words of JSON only: a number is no name."""
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


Text = Annotated[
    str,
    BeforeValidator(_is_text, json_schema_input_type=str),
    Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$"),
]
"""A name: one line."""
Word = Annotated[
    str,
    BeforeValidator(_is_text, json_schema_input_type=str),
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]*$", max_length=64),
]
"""A word such as a capability."""
Digest = Annotated[
    str,
    BeforeValidator(_is_text, json_schema_input_type=str),
    Field(pattern=r"^(sha256:[0-9a-f]{64})?$"),
]
"""``sha256:…``; empty for none."""
Priority = Annotated[StrictInt, Field(ge=-100, le=100)]
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=255)]
"""Under which a request is remembered, so that it is done once; see `farm.desk.memory`."""
Id = Annotated[int, Field(ge=1, le=LARGEST)]
"""Of a task or a group, in a path."""


class Strict(BaseModel):
    """A body of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RequirementsBody(Strict):
    """What a machine must have to take a task."""

    capabilities: Annotated[list[Word], Field(max_length=16)] = []
    cores: Annotated[StrictInt, Field(ge=0, le=65536)] = 0
    memory: Annotated[StrictInt, _BYTES] = 0
    disk: Annotated[StrictInt, _BYTES] = 0
    worker: Text = ""

    def value(self) -> Requirements:
        """As the farm's own value."""
        words = tuple(sorted(set(self.capabilities)))
        return Requirements(**{**dict(self), "capabilities": words})


class SpecBody(Strict):
    """What is to be built, and how; see `lapstrake.farm.values.tasks.TaskSpec`."""

    kind: TaskKind = TaskKind.BUNDLE
    name: Text = ""
    bundle: Digest = ""
    source: Text = ""
    branch: Text = ""
    arch: Text = ""
    target: Text = ""
    build_kind: Literal["full", "any", "all"] = "full"
    profiles: Annotated[list[Word], Field(max_length=16)] = []
    network: StrictBool = False
    package: Text = ""
    publish: StrictBool = True
    fresh: StrictBool = False
    keep_failed: StrictBool = False
    requires: RequirementsBody = RequirementsBody()
    seconds: Annotated[StrictFloat, Field(ge=0, le=31_536_000)] = 0.0
    silence: Annotated[StrictFloat, Field(ge=0, le=31_536_000)] = 0.0
    memory: Annotated[StrictInt, _BYTES] = 0

    def said(self) -> dict[str, Any]:
        """Only what the client wrote, as fields of `TaskSpec`."""
        fields: dict[str, Any] = {
            name: value for name, value in self if name in self.model_fields_set
        }
        if "requires" in fields:
            fields["requires"] = self.requires.value()
        if "profiles" in fields:
            fields["profiles"] = tuple(self.profiles)
        return fields

    def value(self) -> TaskSpec:
        """As the farm's own value."""
        return TaskSpec(**self.said())


class NewBody(Strict):
    """``POST /task``: nothing of it is needed."""

    priority: Priority = 0
    arch: Text = ""
    name: Text = ""


class BundleBody(Strict):
    """Where a bundle is, when it is not the request's body."""

    source: Text = ""
    digest: Digest = ""
    name: Text = ""


class BranchBody(Strict):
    """Which branch."""

    branch: Text


class TaskBody(Strict):
    """A task to be."""

    spec: SpecBody
    priority: Priority = 0


class BatchBody(Strict):
    """Many tasks to be: all of them, or none."""

    tasks: Annotated[list[TaskBody], Field(min_length=1, max_length=1000)]


class PriorityBody(Strict):
    """How urgent it is."""

    priority: Priority


class ReasonBody(Strict):
    """Why."""

    reason: Text = ""


class RetryBody(Strict):
    """How it is built again.

    Attributes:
        keep_failed: keep the build folder if it fails once more; see `SpecBody`.
    """

    keep_failed: StrictBool = False


class MemberBody(Strict):
    """A member of a group to be."""

    name: Text
    spec: SpecBody
    needs: Annotated[list[Text], Field(max_length=10_000)] | None = None
    priority: Priority = 0

    def value(self) -> MemberSpec:
        """As the farm's own value."""
        return MemberSpec(
            name=self.name,
            spec=self.spec.value(),
            needs=None if self.needs is None else tuple(self.needs),
            priority=self.priority,
        )


class GroupBody(Strict):
    """A group to be."""

    name: Text = ""
    branch: Text = ""
    members: Annotated[list[MemberBody], Field(min_length=1, max_length=10_000)]
    stop: StrictBool = False
    priority: Priority = 0

    def value(self) -> GroupSpec:
        """As the farm's own value."""
        return GroupSpec(**{**dict(self), "members": tuple(each.value() for each in self.members)})


class TokenBody(Strict):
    """A token to be.

    Attributes:
        name: whose it is; unique.
        scope: what it allows.
        seconds: how long it holds; 0 for ever.
    """

    name: Word
    scope: Scope
    seconds: Annotated[StrictFloat, Field(ge=0, le=LARGEST)] = 0.0


class WebhookBody(Strict):
    """A webhook to be.

    Attributes:
        url: where events are sent.
        events: which kinds; a word ends in ``*`` for all that begin so; none for all.
        secret: what deliveries are signed with; one is made when it is empty.
    """

    url: Annotated[Text, Field(max_length=2000)]
    events: Annotated[list[Text], Field(max_length=32)] = []
    secret: Text = ""
