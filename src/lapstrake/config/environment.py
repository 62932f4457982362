"""Variables of the environment that look like ours and mean nothing, such as misspelt ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lapstrake.config.model import Config
from lapstrake.config.read import all_settings

_PREFIX = "LAPSTRAKE_"
_NO_SETTINGS = (
    "LAPSTRAKE_CONFIG",
    "LAPSTRAKE_DEBUG",
    "LAPSTRAKE_CROSS",
    "LAPSTRAKE_TOKEN",
    "LAPSTRAKE_ZDOTDIR",
)
"""What is read beside the settings."""

_OTHERS = "LAPSTRAKE_TEST_"
"""What our own tests read."""

_IN_A_BUILD = "LAPSTRAKE_BUILDROOT"
"""Set for a build's own scripts, with others that are no settings; they may run Lapstrake."""


def unknown_variables(environment: Mapping[str, str], config: Config) -> Iterator[str]:
    """Say which variables mean nothing to us, each with the nearest that does.

    Args:
        environment: the environment.
        config: its secrets may be in variables of any name.
    """
    if _IN_A_BUILD in environment:
        return
    known = {name for each in all_settings().values() for name in each.variables}
    known.update(_NO_SETTINGS, (secret.env for secret in config.secrets.values()))
    for name in sorted(environment):
        if name.startswith(_PREFIX) and name not in known and not name.startswith(_OTHERS):
            yield f"{name} is set, but means nothing{_nearest(name, known)}"


def _nearest(name: str, known: set[str]) -> str:
    from difflib import get_close_matches  # slow to import, and only mistakes need it

    rests = {each.removeprefix(_PREFIX): each for each in sorted(known)}
    near = get_close_matches(name.removeprefix(_PREFIX), rests, n=1, cutoff=0.5)
    return f"; did you mean {rests[near[0]]}?" if near else ""
