"""From an index to a plan: the same one, wherever the index was read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lapstrake.grouping.archive import read_archive
from lapstrake.grouping.plan import render_plan
from lapstrake.grouping.sample import Habits
from lapstrake.grouping.study import study_archive


def stanza(name: str, version: str, needs: str = "", size: int = 1000) -> str:
    return f"Package: {name}\nVersion: {version}\nSize: {size}\nDepends: {needs}\nSection: utils\n"


MAIN = "\n".join(
    [stanza("libc6", "2-1"), *(stanza(f"p{n}", "1-1", f"libc6, p{n // 2}") for n in range(1, 30))]
)
SECURITY = stanza("p3", "1-1+deb12u2", "libc6, p9", size=2000)
UPDATES = stanza("p3", "1-1+deb12u1", "libc6, p8")


@given(st.permutations([MAIN, SECURITY, UPDATES]))
def test_the_newest_version_counts_in_any_order_of_lists(texts: list[str]) -> None:
    archive = read_archive(texts)
    assert archive == read_archive([MAIN, SECURITY, UPDATES])
    assert archive.packages["p3"].version == "1-1+deb12u2"


@given(st.permutations([MAIN, SECURITY, UPDATES]))
def test_so_the_plan_is_the_same(texts: list[str]) -> None:
    plans = [
        render_plan(study_archive(read_archive(each), budgets=(4,), images=20))
        for each in (texts, [MAIN, SECURITY, UPDATES])
    ]
    assert plans[0] == plans[1]


def test_a_plan_for_images_on_the_base_os_leaves_its_packages_out() -> None:
    habits = Habits(essential=False, always=("libc6",))
    archive = read_archive([MAIN])
    whole = study_archive(archive, budgets=(4,), images=20, habits=habits)
    above = study_archive(
        archive, budgets=(4,), images=20, habits=habits, without=frozenset({"libc6"})
    )
    assert "libc6" in whole.recipes[0].packages
    assert "libc6" not in above.recipes[0].packages


def test_what_is_asked_for_more_often_is_drawn_more_often() -> None:
    archive = read_archive([MAIN])
    plan = study_archive(archive, budgets=(4,), images=40, popularity={"p29": 10.0})
    shares = plan.recipes[0].shares
    often = max(shares, key=lambda members: shares[members] if "p29" in members else 0)
    assert shares[often] > 0.2
