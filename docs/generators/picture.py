"""The picture of the packages."""

from __future__ import annotations

import tomllib
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[2]


def modules_picture() -> str:
    """The levels of the import contract in pyproject.toml, the top one first."""
    project = tomllib.loads((_PROJECT / "pyproject.toml").read_text())
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
