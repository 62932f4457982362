"""The desk: every change of the farm's state goes over it."""

from __future__ import annotations

from lapstrake.farm.desk.attempts import AttemptDesk
from lapstrake.farm.desk.groups import GroupDesk
from lapstrake.farm.desk.history import HistoryDesk
from lapstrake.farm.desk.holders import HolderDesk
from lapstrake.farm.desk.keeping import KeepingDesk
from lapstrake.farm.desk.sweep import SweepDesk
from lapstrake.farm.desk.tasks import TaskDesk
from lapstrake.farm.desk.workers import WorkerDesk


class Desk(
    TaskDesk, GroupDesk, WorkerDesk, AttemptDesk, HolderDesk, SweepDesk, HistoryDesk, KeepingDesk
):
    """All counters in one; see `lapstrake.farm.desk.base.DeskBase` for what it is made of.

    Every method is synchronous, may be called from any thread, and raises only what
    `lapstrake.farm.problems` has.
    """
