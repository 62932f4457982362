"""``/api/v1/workers``: the machines that build; what people see, and what they themselves say."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from lapstrake.farm.access.tokens import EMBEDDED
from lapstrake.farm.api.requests import Text, Word
from lapstrake.farm.api.state import StateOf, ViewerOf
from lapstrake.farm.api.worker_requests import BeatBody, FactsBody
from lapstrake.farm.problems import WrongState
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.workers import Orders, Welcome, Worker

router = APIRouter(prefix="/api/v1/workers", tags=["workers"])


class GoodbyeBody(BaseModel):
    """Which start of a worker ends."""

    incarnation: Word


@router.get("")
def list_workers(state: StateOf) -> Page[Worker]:
    """All workers that the farm remembers."""
    return Page(items=tuple(state.desk.workers()))


@router.get("/{name}")
def worker(state: StateOf, name: Text) -> Worker:
    """One worker."""
    return state.desk.worker(name)


@router.post("/{name}/drain")
def drain(state: StateOf, name: Text) -> Worker:
    """Let it finish what it has and take nothing new."""
    return state.desk.drain(name, on=True)


@router.post("/{name}/resume")
def resume(state: StateOf, name: Text) -> Worker:
    """Let it take tasks again."""
    return state.desk.drain(name, on=False)


@router.delete("/{name}", status_code=204)
def forget(state: StateOf, name: Text) -> None:
    """Forget a worker that is silent or gone."""
    state.desk.forget(name)


@router.post("/register", include_in_schema=False)
def register(state: StateOf, viewer: ViewerOf, body: FactsBody) -> Welcome:
    """A worker comes."""
    facts = body.value()
    own = facts.embedded and viewer.name == EMBEDDED
    engine = state.engine if own else state.config.farm.worker_database
    if not engine:
        raise WrongState(
            "this farm has no database that workers can reach",
            resolution="Set farm.database and farm.worker_database on the server (PostgreSQL).",
        )
    return state.desk.register(facts, viewer.name, engine)


@router.post("/{name}/heartbeat", include_in_schema=False)
def heartbeat(state: StateOf, viewer: ViewerOf, name: Text, body: BeatBody) -> Orders:
    """A worker is there."""
    state.desk.check_worker(name, viewer.name)
    return state.desk.heartbeat(name, body.value())


@router.post("/{name}/goodbye", status_code=204, include_in_schema=False)
def goodbye(state: StateOf, viewer: ViewerOf, name: Text, body: GoodbyeBody) -> None:
    """A worker goes."""
    state.desk.check_worker(name, viewer.name)
    state.desk.goodbye(name, body.incarnation)
