"""The page of AOSC's templates."""

from __future__ import annotations

import tomllib
from pathlib import Path

from generators.markdown import NOTE, table

_TOOLBOX = Path(__file__).resolve().parents[2] / "src" / "lapstrake" / "toolbox"


def aosc_templates() -> str:
    """The build templates, the order they are probed in, and what each needs on Debian."""
    tools = tomllib.loads((_TOOLBOX / "tools.toml").read_text())
    probe = (_TOOLBOX / "aosc" / "probe.sh").read_text()
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
            NOTE,
            _TEMPLATES_HEAD,
            table(("probed", "template", "on Debian it installs"), rows),
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
