"""Ranges of subordinate ids."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lapstrake.errors import RunnerError
from lapstrake.host.idmap import ID_COUNT, identity_map, subordinate_range


def test_root_keeps_its_ids() -> None:
    rows = identity_map()
    assert rows.uids == rows.gids == ((0, 0, ID_COUNT),)
    assert not rows.rootless


@pytest.mark.parametrize("owner", ["ann", "1000"])
def test_a_range_is_found_by_name_and_number(tmp_path: Path, owner: str) -> None:
    file = tmp_path / "subuid"
    file.write_text(f"# comment\n\nbob:1:65536\n{owner}:100:10\n{owner}:200000:65536\n")
    assert subordinate_range(file, "ann", 1000) == 200000


def test_none_or_a_short_one_is_told_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "subuid"
    for text in ("", "ann:1:65534\n", "ann:x:65536\n", "annie:1:65536\n"):
        file.write_text(text)
        with pytest.raises(RunnerError) as refused:
            subordinate_range(file, "ann", 1000)
        assert "usermod --add-subuids" in refused.value.resolution
    with pytest.raises(RunnerError):
        subordinate_range(tmp_path / "missing", "ann", 1000)


ODD = st.sampled_from(["ann", ":", "\n", "65536", "²", "٣", "-1", " ", "#", "é"])


@given(text=st.one_of(st.text(), st.lists(ODD).map("".join)))
@example(text="ann:²:65536\n")
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("any") / "subuid"
    file.write_text(text)
    with contextlib.suppress(RunnerError):
        assert subordinate_range(file, "ann", 1000) >= 0
