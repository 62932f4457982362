"""When two requests ask for the same: they share one build, or the second gets what is there."""

from __future__ import annotations

from lapstrake.farm.values.tasks import TaskSpec
from lapstrake.formats.keys import cache_key


def key_of(spec: TaskSpec) -> str:
    """The key that requests share when they make the same from the same.

    Everything counts that shapes the result or what becomes of it; who asks, how urgently, and on
    which machine it is built does not.
    """
    return cache_key(
        "task",
        {
            "kind": spec.kind.value,
            "name": spec.name,
            "bundle": spec.bundle,
            "source": "" if spec.bundle else spec.source,
            "branch": spec.branch,
            "arch": spec.arch,
            "target": spec.target or spec.arch,
            "build_kind": spec.build_kind,
            "profiles": sorted(spec.profiles),
            "network": spec.network,
            "package": spec.package,
            "publish": spec.publish,
        },
    ).hex


def is_pinned(spec: TaskSpec) -> bool:
    """Whether the spec says exactly what is built, so that an earlier result still holds.

    ``apt:NAME`` means the newest version, a tree's bundle what the tree has at that moment; both
    may have moved on.
    """
    return bool(spec.bundle) or (spec.source.startswith("apt:") and "=" in spec.source)


def shares_failure(spec: TaskSpec, failed: TaskSpec) -> bool:
    """Whether `spec` would fail as `failed` did, which makes the same.

    With other limits or on another machine it may go well; and somebody may want to look into it.
    """
    if spec.keep_failed and not failed.keep_failed:
        return False
    return (spec.seconds, spec.silence, spec.memory, spec.requires) == (
        failed.seconds,
        failed.silence,
        failed.memory,
        failed.requires,
    )
