"""Whoever speaks another protocol is told who has to be upgraded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.errors import VersionError
from lapstrake.farm.model.protocol import check_protocol
from lapstrake.farm.operations.units import WORKER, unit_texts
from lapstrake.farm.problems import OtherVersion

_NUMBER = st.integers(0, 100)


@given(_NUMBER, _NUMBER)
def test_only_equals_understand_each_other(worker: int, server: int) -> None:
    if worker == server:
        check_protocol(worker, server, name="w", versions="")
        return
    with pytest.raises(OtherVersion) as refused:
        check_protocol(worker, server, name="w", versions="")
    older = "worker" if worker < server else "server"
    assert refused.value.resolution.startswith(f"Upgrade the {older}")
    assert refused.value.exit_code == VersionError.exit_code


def test_systemd_does_not_start_such_a_worker_again() -> None:
    assert f"RestartPreventExitStatus={VersionError.exit_code}\n" in unit_texts()[WORKER]
