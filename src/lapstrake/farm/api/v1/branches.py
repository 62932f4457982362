"""``/api/v1/branches``: what is built for, and what has been published there."""

from __future__ import annotations

from fastapi import APIRouter

from lapstrake.farm.api.listing import Limit
from lapstrake.farm.api.requests import Text
from lapstrake.farm.api.state import StateOf
from lapstrake.farm.contents.branches import (
    BranchFacts,
    PackageFacts,
    branch_facts,
    branch_packages,
    one_branch,
)
from lapstrake.farm.values.lists import Page

router = APIRouter(prefix="/api/v1/branches", tags=["branches"])


@router.get("")
def list_branches(state: StateOf) -> list[BranchFacts]:
    """All branches, by name."""
    return list(branch_facts(state.config))


@router.get("/{name}")
def branch(state: StateOf, name: Text) -> BranchFacts:
    """One branch."""
    return one_branch(state.config, name)


@router.get("/{name}/packages")
def packages(
    state: StateOf, name: Text, text: Text = "", after: Text = "", limit: Limit = 50
) -> Page[PackageFacts]:
    """Its published packages, by name; `text` must be part of the name."""
    return branch_packages(state.config, name, text=text, after=after, limit=limit)
