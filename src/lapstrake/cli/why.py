"""``lapstrake why``: the reasons of a build, a layer or a branch, from what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import printable, table
from lapstrake.cli.place import look_place
from lapstrake.errors import UsageError
from lapstrake.names import BranchName

if TYPE_CHECKING:
    from lapstrake.build.record import BuildRecord
    from lapstrake.layer.store import Layer
    from lapstrake.place.state import Instance
    from lapstrake.place.workplace import Workplace

_LOOKED_BACK = 200  # builds
_INDENT = "  "
_DAY = 8  # digits that the id of a build begins with


@click.command()
@click.argument(
    "words", nargs=-1, metavar="[BUILD | TASK | layer KEY | branch NAME | artifact [NAME]]"
)
@pass_app
def why(app: AppContext, /, words: tuple[str, ...]) -> None:
    """Explain a decision.

    \b
    BUILD            what it was made from and why, and what differs from the
                     one before (an id, its beginning or a bundle's name; without
                     one, the newest build)
    TASK             a number: what a task of the farm waits for, or why it ended
    layer KEY        what a layer was made from, and what is made from it
    branch NAME      whether a branch is fresh, and why its instances were made
    artifact [NAME]  of the project in this folder: why an artifact is stale, and
                     what a build would do
    """  # noqa: D301 - click reads \b
    if words[:1] == ("artifact",) and len(words) <= 2:
        from lapstrake.cli.artifact_details import explain_artifacts

        lines = explain_artifacts(app, "".join(words[1:]))
        app.output.result(printable("\n".join(lines)))
        return
    if len(words) == 1 and _is_task(words[0]):
        from lapstrake.cli.farm_why import explain_task

        app.output.result("\n".join(explain_task(app, int(words[0]))))
        return
    place = look_place(app)
    match words:
        case ("layer", key):
            lines = explain_layer(place, key)
        case ("branch", name):
            lines = explain_branch(place, BranchName(name))
        case () | (_,):
            lines = explain_build(place, words[0] if words else "")
        case _:
            raise UsageError(
                f"`why {' '.join(words)}` asks for nothing we know",
                resolution="Ask for a build, a task's number, `layer KEY`, `branch NAME` or "
                "`artifact [NAME]`.",
            )
    app.output.result(printable("\n".join(lines)))


def _is_task(word: str) -> bool:
    """Whether a word is a number on the farm: the beginning of a build's id is a whole day."""
    return word.isascii() and word.isdigit() and len(word) < _DAY


def explain_build(place: Workplace, text: str) -> list[str]:
    """A build: inputs and reasons, outputs, what differs from the one before, what it used.

    Raises:
        UsageError: there is no such build.
    """
    from lapstrake.build.record import Records
    from lapstrake.cli.explain import came_out, differences, made_from, resources
    from lapstrake.formats.amounts import age_text, duration_text

    records = Records(place.builds)
    record = records.find(text)
    took = duration_text(record.seconds)
    lines = [
        f"{record.id}: {record.name or record.bundle} {record.version} on {record.branch}, "
        f"{record.state} after {took}"
    ]
    if record.error:
        where = f" in the step {record.step!r}" if record.step else ""
        lines.append(f"{_INDENT}exit code {record.exit_code}{where}: {record.error}")
    lines += ["", "made from", *_indented(made_from(record))]
    if record.outputs:
        lines += ["", "came out", *_indented(came_out(record))]
    before = _build_before(records.ids(), records.read, record)
    if before is not None:
        lines += ["", f"compared with {before.id} ({age_text(before.started)})"]
        lines += [f"{_INDENT}{line}" for line in differences(before, record)] or [
            f"{_INDENT}nothing differs"
        ]
    if record.usage.wall_seconds:
        lines += ["", "used", *_indented(resources(record.usage))]
    return lines


def explain_layer(place: Workplace, key: str) -> list[str]:
    """A layer: what it was made from, who needs it; of images, why these packages share one.

    Args:
        place: where.
        key: the beginning of the key of a layer of the store, or of the digest of an image's.

    Raises:
        UsageError: no layer's key begins so, or several do.
    """
    from lapstrake.formats.amounts import age_text, size_text

    layer = _find_layer(place, key)
    if layer is None:
        return _explain_image_layer(place, key)
    lines = [
        f"{layer.kind} {layer.key}",
        f"{_INDENT}{size_text(layer.size)}, made {age_text(layer.created)}, "
        f"last used {age_text(layer.used)}",
        "",
        "made from",
        *_indented(_fact_rows(layer.facts)),
        "",
        "needed by",
    ]
    needed = list(_needed_by(place, layer))
    return lines + [f"{_INDENT}{each}" for each in needed or ["nothing: it can be collected"]]


def explain_branch(place: Workplace, name: BranchName) -> list[str]:
    """A branch: whether it is fresh, and the reasons of its instances.

    Raises:
        BranchError: there is no such branch.
    """
    from lapstrake.branch.instance import refresh_reason
    from lapstrake.branch.manage import entries_text
    from lapstrake.place.state import StateFiles

    listed = place.config.branch(name)
    stale = refresh_reason(place, name, refresh=True)
    instances = StateFiles(place.private).branch(name).instances
    lines = [
        f"the branch {name} is " + (f"stale: {stale}" if stale else "fresh"),
        f"{_INDENT}its list: {listed.origin}",
        f"{_INDENT}packages from: {entries_text(listed.entries) or 'where the base OS has them'}",
        "",
        "its instances, newest first",
    ]
    rows = [_instance_row(place, instance) for instance in instances]
    return lines + (_indented(rows) or [f"{_INDENT}none yet"])


def _instance_row(place: Workplace, instance: Instance) -> tuple[str, ...]:
    from lapstrake.formats.amounts import time_text

    gone = "" if place.store.find(instance.layer) else " (collected)"
    commits = f", {len(instance.commits)} commits by hand" if instance.commits else ""
    return (
        instance.layer.short + gone,
        time_text(instance.made),
        f"on {instance.base.short}{commits}",
        instance.reason,
    )


def _build_before(
    ids: Sequence[str], read: Callable[[str], BuildRecord | None], record: BuildRecord
) -> BuildRecord | None:
    """The build of the same bundle on the same branch that came before."""
    older = [build_id for build_id in ids if build_id < record.id][:_LOOKED_BACK]
    for build_id in older:
        found = read(build_id)
        if found is None or found.branch != record.branch:
            continue
        if found.bundle == record.bundle or (record.name and found.name == record.name):
            return found
    return None


def _explain_image_layer(place: Workplace, key: str) -> list[str]:
    """A layer of images, by the beginning of its digest."""
    from lapstrake.blobs.open import open_blobs
    from lapstrake.formats.amounts import size_text
    from lapstrake.image.record import all_images

    digits = key.removeprefix("sha256:")
    found = [
        (image, layer)
        for image in all_images(open_blobs(place.config))
        for layer in image.layers
        if layer.blob.digest.hex.startswith(digits)
    ]
    digests = sorted({str(layer.blob.digest) for _, layer in found})
    if len(digests) != 1:
        raise UsageError(
            f"{len(digests)} layers have keys or digests that begin with {key!r}",
            details="\n".join(digests),
            resolution="See `lapstrake store du`, and `lapstrake image inspect` for images.",
        )
    layer = found[0][1]
    rows = [
        ("/".join(image.request.asked), image.request.tag, str(image.request.arch), of.reason)
        for image, of in found
    ]
    members = layer.members or (f"the {layer.what}",)
    return [
        f"image layer {layer.blob.digest}",
        f"{_INDENT}{size_text(layer.blob.size)}, compressed",
        "",
        "holds",
        *(f"{_INDENT}{member}" for member in members),
        "",
        "is in these images, and why these packages share a layer there",
        *_indented(sorted(rows)),
    ]


def _find_layer(place: Workplace, key: str) -> Layer | None:
    """The layer of the store; ``None`` when no key begins so."""
    found = [layer for layer in place.store.layers() if layer.key.hex.startswith(key)]
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} layers have keys that begin with {key!r}",
            details="\n".join(f"{layer.key} {layer.kind}" for layer in found),
        )
    return found[0] if found else None


def _needed_by(place: Workplace, layer: Layer) -> Iterable[str]:
    """The base OS, branches and layers that a layer is part of."""
    from lapstrake.branch.draft import Drafts
    from lapstrake.place.state import StateFiles

    remembered = StateFiles(place.private)
    base = remembered.base()
    if base is not None and base.key == layer.key:
        yield f"it is the base OS: {base.origin}"
    for name in remembered.branches():
        for age, instance in enumerate(remembered.branch(name).instances):
            if layer.key in {instance.base, instance.layer}:
                yield f"the branch {name}" + (f", {age} instances ago" if age else "")
                break
        draft = Drafts(place).find(name)
        if draft is not None and draft.origin.base == layer.key:
            yield f"the draft of the branch {name}"
    for other in place.store.layers():
        if other.facts.get("instance") == layer.key.hex or _is_composed_of(other, layer):
            yield f"the {other.kind} layer {other.key.short}"


def _is_composed_of(root: Layer, package: Layer) -> bool:
    """Whether a package's layer is among those that a layer of configured packages lies on."""
    digest, rows = package.facts.get("sha256"), root.facts.get("packages")
    if not digest or root.kind != "configured" or not isinstance(rows, list):
        return False
    return any(isinstance(row, list) and digest in row for row in rows)


def _fact_rows(facts: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    """Facts, one row for each; lists and tables take a row for each item."""
    for name, value in sorted(facts.items()):
        if isinstance(value, dict):
            yield from ((name, f"{key}: {item}") for key, item in sorted(value.items()))
        elif isinstance(value, list):
            yield from ((name, _item_text(item)) for item in value)
        else:
            yield from ((name, line) for line in str(value).splitlines())


def _item_text(item: object) -> str:
    return " ".join(map(str, item)) if isinstance(item, list) else str(item)


def _indented(rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"{_INDENT}{line}" for line in table(list(rows)).splitlines()]
