"""Nix's graph of references as JSON, popularity as JSON, and layers as JSON.

The graph is what ``exportReferencesGraph`` leaves in ``.attrs.json`` of a derivation that has
structured attributes (Nix manual, *Advanced attributes*).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lapstrake.errors import UsageError
from lapstrake.grouping.base import Graph, Group, Node

_STORE_PATH = re.compile(r"^/nix/store/[a-z0-9]+-")


def parse_references(text: str | bytes, *, name: str) -> Graph:
    """Read a graph of references.

    Args:
        text: ``{"exportReferencesGraph": {"graph": [ROOT, ...]}, "graph": [{"path", "closureSize",
            "narSize", "references"}, ...]}``; the sizes may be missing.
        name: the file, for errors.

    Raises:
        UsageError: it is no such JSON; the brief names the file and where.
    """
    document = _load(text, name)
    if not isinstance(document, dict) or not isinstance(document.get("graph"), list):
        raise UsageError(f'{name}: no list "graph"')
    nodes: dict[str, Node] = {}
    for number, entry in enumerate(document["graph"]):
        node = _node(entry, f"{name}: graph[{number}]")
        nodes[node.name] = node
    for node in nodes.values():
        for other in node.references:
            if other not in nodes:
                raise UsageError(
                    f"{name}: {node.name} refers to {other}, which is not in the graph"
                )
    return Graph(nodes=nodes, roots=_roots(document, nodes, name))


def parse_popularity(text: str | bytes, *, name: str) -> dict[str, float]:
    """Read a table ``{LABEL: COUNT}``.

    Raises:
        UsageError: it is no such JSON.
    """
    document = _load(text, name)
    if not isinstance(document, dict):
        raise UsageError(f"{name}: not a table of counts")
    for label, count in document.items():
        if isinstance(count, bool) or not isinstance(count, int | float):
            raise UsageError(f"{name}: {label}: not a number: {count!r}")
    return {label: float(count) for label, count in document.items()}


def render_layers(groups: Iterable[Group]) -> str:
    """Write groups as a list of objects with ``contents``, the paths of each layer."""
    return json.dumps([{"contents": list(group.members)} for group in groups], indent=1) + "\n"


def label_of(path: str) -> str:
    """A store path without its folder and hash: the name with the version."""
    return _STORE_PATH.sub("", path)


def _load(text: str | bytes, name: str) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        return json.loads(text)
    except json.JSONDecodeError as wrong:
        raise UsageError(f"{name}:{wrong.lineno}:{wrong.colno}: not JSON: {wrong.msg}") from wrong
    except (UnicodeDecodeError, RecursionError) as wrong:
        raise UsageError(f"{name}: not JSON: {wrong}") from wrong


def _node(entry: object, where: str) -> Node:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str) or not entry["path"]:
        raise UsageError(f'{where}: no "path"')
    references = entry.get("references", [])
    if not isinstance(references, list) or not all(isinstance(one, str) for one in references):
        raise UsageError(f'{where}: "references" is not a list of paths')
    path = entry["path"]
    return Node(
        name=path,
        label=label_of(path),
        size=_size(entry, "narSize", where),
        references=tuple(sorted(set(references))),
        closure_size=_size(entry, "closureSize", where),
    )


def _size(entry: Mapping[str, object], key: str, where: str) -> int:
    size = entry.get(key, 0)
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise UsageError(f'{where}: "{key}" is not a number of bytes: {size!r}')
    return size


def _roots(document: Mapping[str, object], nodes: Mapping[str, Node], name: str) -> tuple[str, ...]:
    """Those that are named, or else those that nothing else refers to."""
    exported = document.get("exportReferencesGraph", {})
    roots = exported.get("graph", []) if isinstance(exported, dict) else None
    roots = [roots] if isinstance(roots, str) else roots
    if not isinstance(roots, list) or not all(isinstance(root, str) for root in roots):
        raise UsageError(f'{name}: "exportReferencesGraph" has no list "graph" of paths')
    unknown = [root for root in roots if root not in nodes]
    if unknown:
        raise UsageError(f"{name}: {unknown[0]} is exported, but not in the graph")
    if not roots:
        used = {other for node in nodes.values() for other in node.references if other != node.name}
        roots = [path for path in nodes if path not in used]
    return tuple(sorted(roots))
