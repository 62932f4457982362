"""What is remembered of base OS, branches and drafts comes back as it was."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.errors import StoreError
from lapstrake.host.files import temporary_name
from lapstrake.names import BranchName, CacheKey
from lapstrake.place.state import (
    HISTORY,
    BaseState,
    BranchState,
    Draft,
    Instance,
    StateFiles,
    draft_document,
    read_draft,
)

KEYS = st.text("0123456789abcdef", min_size=64, max_size=64).map(CacheKey)
TEXTS = st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3)
INSTANCES = st.builds(
    Instance,
    base=KEYS,
    layer=KEYS,
    list_digest=st.text(max_size=8),
    releases=TEXTS,
    headers=st.dictionaries(st.text(max_size=20), TEXTS, max_size=2),
    commits=st.lists(st.text(max_size=8), max_size=3).map(tuple),
    reason=st.text(max_size=20),
    made=st.floats(0, 1e10),
)
STABLE = BranchName("stable")


@given(instances=st.lists(INSTANCES, max_size=4), checked=st.floats(0, 1e10))
def test_branches_come_back(instances: list[Instance], checked: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        remembered = StateFiles(Path(folder))
        state = BranchState(instances=tuple(instances), checked=checked)
        remembered.set_branch(STABLE, state)
        assert remembered.branch(STABLE) == state
        assert remembered.branches() == (STABLE,)
        assert remembered.layers() == {
            key for instance in instances for key in (instance.base, instance.layer)
        }
        remembered.set_branch(STABLE, None)
        assert remembered.branch(STABLE) == BranchState()


@given(draft=st.builds(Draft, origin=INSTANCES, mark=st.text(), begun=st.floats(0, 1e10)))
def test_drafts_come_back_and_hold_their_base(draft: Draft) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "drafts" / "stable" / "draft.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(draft_document(draft)))
        assert read_draft(file) == draft
        assert draft.origin.base in StateFiles(Path(folder)).layers()


@given(base=st.builds(BaseState, key=KEYS, origin=st.text(), loaded=st.floats(0, 1e10)))
def test_the_base_comes_back(base: BaseState) -> None:
    with tempfile.TemporaryDirectory() as folder:
        remembered = StateFiles(Path(folder))
        assert remembered.base() is None
        remembered.set_base(base)
        assert remembered.base() == base
        remembered.set_base(None)
        assert remembered.base() is None


@given(st.lists(INSTANCES, min_size=1, max_size=HISTORY + 4))
def test_history_is_bounded_and_newest_first(instances: list[Instance]) -> None:
    state = BranchState()
    for instance in instances:
        state = state.with_instance(instance)
    assert state.current == instances[-1]
    assert list(state.instances) == instances[::-1][:HISTORY]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text("{")
    with pytest.raises(StoreError, match=r"base\.json is damaged"):
        StateFiles(tmp_path).base()


def test_a_state_that_is_being_written_is_no_branch(tmp_path: Path) -> None:
    remembered = StateFiles(tmp_path)
    remembered.set_branch(STABLE, BranchState())
    temporary_name(tmp_path / "branches" / "other.json").write_text("{")
    assert remembered.branches() == (STABLE,)
