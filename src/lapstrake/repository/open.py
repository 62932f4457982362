"""The repository of a branch, with the key that the configuration names."""

from __future__ import annotations

from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.repository.flat import Repository
from lapstrake.repository.signing import own_signer, user_signer


def repository_of(place: Workplace, branch: BranchName) -> Repository:
    """The repository of a branch, signed by the user's key or our own."""
    settings = place.config.repository
    return Repository(
        place.output(branch),
        branch,
        lambda: (
            user_signer(settings.sign_key)
            if settings.sign_key
            else own_signer(place.config.work_dir / "keys")
        ),
        origin=settings.origin,
        label=settings.label,
        on_warning=place.progress.warning,
        on_wait=place.progress.headline,
    )
