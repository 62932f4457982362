"""Workers with nothing in their caches: they become copies of the server, and build."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from farm_server import FarmServer, farm_server
from lapstrake.branch.instance import Branch, current_branch
from lapstrake.build.request import BuildRequest
from lapstrake.build.run import build
from lapstrake.config.load import load_config
from lapstrake.config.model import Config
from lapstrake.farm.client.http import Connection
from lapstrake.farm.problems import Unknown
from lapstrake.farm.values.attempts import Job
from lapstrake.farm.values.tasks import TaskSpec
from lapstrake.farm.worker.link import Link
from lapstrake.farm.worker.sync import prepare_place, share
from lapstrake.formats.keys import cache_key
from lapstrake.names import BranchName
from lapstrake.place.state import BaseState, BranchState, Instance, StateFiles
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of
from roots import Recorder, clone, open_work_dir, write_configuration
from shop import Shop

STABLE = BranchName("stable")
JOB = Job(task=1, attempt=1, spec=TaskSpec(branch="stable", arch="amd64"))


@pytest.fixture(scope="module")
def server(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    work_dir = clone(base_work_dir, tmp_path_factory.mktemp("server") / "work")
    with farm_server(work_dir) as running:
        yield running


@pytest.fixture(autouse=True)
def no_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not on this host cannot be reached."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def worker(folder: Path) -> Config:
    folder.mkdir()
    (folder / "conf").mkdir()
    (folder / "conf" / "config.toml").write_text('[refresh]\nmode = "never"\n')
    settings = {"work_dir": str(folder), "cache.download_dir": str(folder / "downloads")}
    return load_config(folder / "conf", overrides=settings)


def link_to(server: FarmServer) -> Link:
    return Link(Connection(server.url, patience=5))


def test_an_empty_worker_builds(server: FarmServer, tmp_path: Path) -> None:
    heard, link, config = Recorder(), link_to(server), worker(tmp_path / "worker")
    theirs = open_work_dir(server.work_dir)
    shop = Shop(work_dir=tmp_path)
    request = BuildRequest(
        bundle=str(shop.bundle("first")),
        branch=STABLE,
        cwd=tmp_path,
        publish=False,
        results=tmp_path / "results",
    )
    place = prepare_place(JOB, link, config, heard)
    assert _stack(place) == _stack(theirs)
    build(place, request)
    assert not (place.config.work_dir / "keys").exists(), "a worker needs no key"
    assert heard.warnings == []

    heard.headlines.clear()
    prepare_place(JOB, link, config, heard)
    assert heard.headlines == [], "nothing was new"

    ours, published = repository_of(place, STABLE), repository_of(theirs, STABLE)
    published.publish([tmp_path / "results" / "first_1-1_all.deb"])
    prepare_place(JOB, link, config, heard)
    assert ours.packages() == published.packages() != ()
    needs = shop.bundle("second", extra='[depends]\nbuild = ["first"]')
    assert build(place, replace(request, bundle=str(needs))).outputs, "with what was published"


def test_a_branch_that_is_gone(server: FarmServer, tmp_path: Path) -> None:
    job = Job(task=1, attempt=1, spec=TaskSpec(branch="gone", arch="amd64"))
    with pytest.raises(Unknown, match="gone"):
        prepare_place(job, link_to(server), worker(tmp_path / "worker"), Recorder())


def test_what_one_worker_made_others_have(tmp_path: Path) -> None:
    """As for an architecture that the server itself has no root of."""
    empty = tmp_path / "server"
    write_configuration(empty)
    made, branch = _made(tmp_path / "made")
    with farm_server(empty) as server:
        share(made, link_to(server), branch)
        place = prepare_place(JOB, link_to(server), worker(tmp_path / "worker"), Recorder())
        assert _stack(place) == _stack(made)
        lists = empty / "conf" / "source_lists" / "stable.sources"
        lists.write_text(lists.read_text() + "\n# edited\n")
        document = link_to(server).connection.get(dict, "/api/v1/branches/stable/stack")
        assert document["base"] is None, "a stack of another list serves nobody"


def _made(work_dir: Path) -> tuple[Workplace, Branch]:
    """A place with a base OS and a branch of one file each."""
    write_configuration(work_dir)
    place = open_work_dir(work_dir)
    keys = []
    for kind in ("base", "instance"):

        def fill(tree: Path, kind: str = kind) -> None:
            (tree / "etc").mkdir(parents=True)
            (tree / "etc" / kind).write_text(kind)

        key = cache_key(kind, {})
        place.store.make(key, kind=kind, facts={"made": "by hand"}, fill=fill)
        keys.append(key)
    state, listed = StateFiles(place.private), place.config.branch(STABLE)
    state.set_base(BaseState(key=keys[0], origin="a test", loaded=1.0, arch="amd64"))
    instance = Instance(
        base=keys[0],
        layer=keys[1],
        list_digest=hashlib.sha256(listed.text.encode()).hexdigest(),
        releases={"http://example.org/InRelease": "absent"},
        headers={"http://example.org/InRelease": {"ETag": "x"}},
        reason="a test",
        made=1.0,
    )
    state.set_branch(STABLE, BranchState(instances=(instance,)))
    branch = current_branch(place, STABLE)
    assert branch is not None
    return place, branch


def _stack(place: Workplace) -> tuple[object, ...]:
    """Keys, and what is in the trees, as far as names, modes and owners tell."""
    branch = current_branch(place, STABLE)
    assert branch is not None
    return tuple(
        (layer.key, layer.kind, dict(layer.facts), _tree(layer.tree)) for layer in branch.layers
    )


def _tree(tree: Path) -> list[tuple[object, ...]]:
    found = []
    for folder, folders, names in os.walk(tree):
        for name in (*folders, *names):
            look = os.lstat(Path(folder, name))
            where = os.path.relpath(Path(folder, name), tree)
            size = look.st_size if name in names else 0
            found.append((where, look.st_mode, look.st_uid, look.st_gid, look.st_rdev, size))
    return sorted(found)
