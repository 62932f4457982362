"""The engine's queues: a queue's name says what a machine must have to serve it.

``build.ARCH`` takes any machine that runs ARCH; ``build.ARCH.WORD.WORD`` (sorted) only those that
have every word, where a word is a capability or a size: ``cores-8``, ``memory-4096`` (MiB),
``disk-20480`` (MiB). ``worker.NAME`` is one machine's own. So whoever listens to a queue can serve
all that is in it, and the engine needs to know nothing of requirements. A machine that is kept for
a pool serves only queues with the pool's word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lapstrake.farm.problems import Invalid
from lapstrake.farm.values.tasks import Requirements
from lapstrake.farm.values.workers import WorkerFacts
from lapstrake.formats.amounts import size_text

_MIB = 1 << 20
_WORD = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
_SIZE = re.compile(r"(cores|memory|disk)-(\d+)\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def queue_of(arch: str, requires: Requirements) -> str:
    """The queue for tasks of an architecture with requirements.

    Raises:
        Invalid: a capability is no word, or a size is below zero.
    """
    if requires.worker:
        return worker_queue(requires.worker)
    check_words(requires.capabilities)
    if min(requires.cores, requires.memory, requires.disk) < 0:
        raise Invalid("requirements cannot be below zero")
    sizes = {
        "cores": requires.cores,
        "memory": -(-requires.memory // _MIB),
        "disk": -(-requires.disk // _MIB),
    }
    words = {*requires.capabilities, *(f"{what}-{n}" for what, n in sizes.items() if n)}
    return ".".join(("build", arch, *sorted(words)))


def check_words(words: Iterable[str]) -> None:
    """Refuse what cannot be a capability.

    Raises:
        Invalid: one cannot.
    """
    for word in words:
        if not _WORD.match(word) or _SIZE.match(word):
            raise Invalid(
                f"{word!r} is no capability",
                resolution="Use words such as kvm: lower case letters, digits, - and _.",
            )


def worker_queue(name: str) -> str:
    """A worker's own queue.

    Raises:
        Invalid: the name cannot be a worker's.
    """
    check_worker_name(name)
    return f"worker.{name}"


def check_worker_name(name: str) -> None:
    """Refuse what cannot name a worker.

    Raises:
        Invalid: it cannot.
    """
    if not _NAME.match(name):
        raise Invalid(
            f"{name!r} cannot name a worker",
            resolution="Use letters, digits and . _ - (first a letter or digit, at most 64).",
        )


def serves(facts: WorkerFacts, queue: str) -> bool:
    """Whether a machine has all that a queue's tasks need."""
    if queue == f"worker.{facts.name}":
        return True
    kind, _, rest = queue.partition(".")
    arch, *words = rest.split(".")
    if kind != "build" or (facts.pool and facts.pool not in words):
        return False
    return arch in facts.arches and all(_has(facts, word) for word in words)


def named(queue: str) -> tuple[str, ...]:
    """The capabilities that a queue's tasks ask for: the words that a worker is started with."""
    kind, *words = queue.split(".")
    return tuple(w for w in words[1:] if not _SIZE.match(w)) if kind == "build" else ()


def missing(facts: WorkerFacts, queue: str) -> tuple[str, ...]:
    """What a machine lacks to serve a queue, as ``it …``; empty when it serves it."""
    kind, _, rest = queue.partition(".")
    if kind == "worker":
        return () if rest == facts.name else (f"it is not {rest}",)
    arch, *words = rest.split(".")
    lacking = [f"it does not run {arch}"] if arch not in facts.arches else []
    if facts.pool and facts.pool not in words:
        lacking.append(f"it is kept for tasks that ask for {facts.pool}")
    return (*lacking, *(_lack(word) for word in words if not _has(facts, word)))


def _lack(word: str) -> str:
    size = _SIZE.match(word)
    if size is None:
        return f"it has no {word}"
    if size[1] == "cores":
        return f"it has fewer than {size[2]} cores"
    return f"it has less than {size_text(int(size[2]) * _MIB)} of {size[1]}"


def _has(facts: WorkerFacts, word: str) -> bool:
    size = _SIZE.match(word)
    if size is None:
        return word in facts.capabilities
    amount = int(size[2])
    return {
        "cores": facts.cores >= amount,
        "memory": facts.memory >= amount * _MIB,
        "disk": facts.disk >= amount * _MIB,
    }[size[1]]
