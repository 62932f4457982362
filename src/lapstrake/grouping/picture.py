"""A picture of an image's layers: a bar for each, the lowest at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lapstrake.grouping.base import Graph, Group

_WIDTH, _LEFT, _RIGHT, _ROW, _GAP = 1000, 90, 240, 26, 4
_LETTER = 6.2  # pixels of a letter, about
_HUES = (205, 150, 35, 265, 340, 95, 180, 15)
_LEAST = 0.02


def draw(graph: Graph, groups: Sequence[Group], *, title: str) -> str:
    """Draw groups as SVG (1.1, without scripts); a pointer over anything shows all it stands for.

    Args:
        graph: sizes.
        groups: lowest layer first.
        title: what the image is of.
    """
    sizes = [sum(graph.nodes[name].size for name in group.members) for group in groups]
    largest = max([1, *sizes])
    height = 50 + len(groups) * (_ROW + _GAP)
    total = f"{len(groups)} layers, {len(graph.nodes)} packages, {_bytes(sum(sizes))}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#fcfcfa"/>',
        f'<text x="12" y="26" font-size="16" fill="#222">{escape(title)}</text>',
        f'<text x="{_WIDTH - 12}" y="26" text-anchor="end" fill="#666">{total}</text>',
    ]
    for number, (group, size) in enumerate(zip(groups, sizes, strict=True)):
        top = height - 10 - (number + 1) * (_ROW + _GAP)
        # The square root: small layers stay visible beside large ones.
        width = (_WIDTH - _LEFT - _RIGHT) * max(_LEAST, (size / largest) ** 0.5)
        lines.append(
            f'<text x="{_LEFT - 8}" y="{top + 17}" text-anchor="end" fill="#555">'
            f"{_bytes(size)}</text>"
            f'<text x="{_LEFT + width + 8:.1f}" y="{top + 17}" fill="#555">'
            f"{escape(group.reason)}</text>"
        )
        lines += _bar(graph, group, size, top=top, width=width, hue=_HUES[number % len(_HUES)])
    return "\n".join([*lines, "</svg>\n"])


def _bar(graph: Graph, group: Group, size: int, *, top: float, width: float, hue: int) -> list[str]:
    left = float(_LEFT)
    lines = ["<g>"]
    ranked = sorted(group.members, key=lambda name: (-graph.nodes[name].size, name))
    for position, name in enumerate(ranked):
        part = width * (graph.nodes[name].size / size if size else 1 / len(ranked))
        light = 62 + (position % 2) * 9
        text = f"{name}, {_bytes(graph.nodes[name].size)} ({group.reason})"
        lines.append(
            f'<rect x="{left:.1f}" y="{top}" width="{max(part, 0.3):.1f}" height="{_ROW}" '
            f'fill="hsl({hue},45%,{light}%)" stroke="#fcfcfa" stroke-width="0.4">'
            f"<title>{escape(text)}</title></rect>"
        )
        if part > len(name) * _LETTER + 6:
            lines.append(f'<text x="{left + 4:.1f}" y="{top + 17}">{escape(name)}</text>')
        left += part
    return [*lines, "</g>"]


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
