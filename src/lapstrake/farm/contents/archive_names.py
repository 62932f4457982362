"""The packages that a source package of a branch's archive makes, as the archive itself says.

A worker that built ``apt:hello`` says what came of it; the server asks the archive what may.
"""

from __future__ import annotations

import logging

from lapstrake.branch.instance import current_branch
from lapstrake.build.source_package import locate_source_package
from lapstrake.bundle.debian_dsc import read_description
from lapstrake.bundle.debian_uris import is_request, parse_request
from lapstrake.errors import FetchError, LapstrakeError, PublishError, RunnerError
from lapstrake.farm.problems import Unavailable
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace

_LOG = logging.getLogger("lapstrake.farm.contents")


def archive_names(place: Workplace, branch: BranchName, source: str) -> frozenset[str]:
    """Ask the branch's archive; lists and ``.dsc`` are fetched once for each state of the branch.

    Args:
        place: the server's own; what machine it is for does not matter.
        branch: the branch.
        source: ``apt:NAME`` or ``apt:NAME=VERSION``.

    Returns:
        the names; empty when `source` is something else, or the server has no root of the branch
        to ask in.

    Raises:
        Unavailable: the archive does not answer.
        PublishError: it has no such source package any more.
    """
    stands = current_branch(place, branch) if is_request(source) else None
    if stands is None:
        return frozenset()
    try:
        dsc, _ = locate_source_package(place, stands, parse_request(source))
        return frozenset(each.name for each in read_description(dsc).binaries)
    except FetchError as away:
        raise Unavailable(away.brief, resolution=away.resolution) from away
    except RunnerError as unable:
        _LOG.warning("what %s makes cannot be asked for on this host: %s", source, unable.brief)
        return frozenset()
    except LapstrakeError as gone:
        raise PublishError(
            f"the archive of {branch} does not say what {source} makes: {gone.brief}",
            details=gone.details,
            resolution="Retry the task when the archive can be read, and has the source package.",
        ) from gone
