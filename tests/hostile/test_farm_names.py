"""Names that a worker, or a user of the farm, would like to take from others."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lapstrake.errors import PublishError
from lapstrake.farm.contents.archive_names import archive_names
from lapstrake.farm.contents.makers import check_names
from lapstrake.farm.contents.publishing import publisher
from lapstrake.farm.contents.site_owners import owned_by, package_of
from lapstrake.farm.contents.store import ContentStore
from lapstrake.farm.values.tasks import OutputFile, Task, TaskKind, TaskSpec, TaskState
from lapstrake.farm.worker.artifacts import own_artifacts
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from roots import clone, open_work_dir, write_configuration

ARTIFACT = Task(
    id=1,
    spec=TaskSpec(kind=TaskKind.ARTIFACT, name="sys", bundle="sha256:" + "1" * 64),
    state=TaskState.PUBLISHING,
    owner="alice",
)
NAME = "sys-portable-1.0-0123ABC.tar.gz"


def store(place: Workplace) -> ContentStore:
    folder = place.config.work_dir / "farm" / "contents"
    return ContentStore(folder, upload_limit=1 << 20, disk_low=0)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    write_configuration(tmp_path / "work")
    return open_work_dir(tmp_path / "work")


def sent(contents: ContentStore, name: str, data: bytes) -> OutputFile:
    file = contents.scratch / "sent"
    file.write_bytes(data)
    return OutputFile(name=name, digest=contents.add_file(file), size=len(data))


def test_an_artifacts_name_is_its_first_owners(place: Workplace) -> None:
    contents = store(place)
    publish, site = publisher(place, contents), place.config.work_dir / "farm" / "artifacts"
    publish(ARTIFACT, (sent(contents, NAME, b"genuine"),))
    for fresh in (False, True):  # the second would have replaced it
        spec = replace(ARTIFACT.spec, fresh=fresh)
        hostile = replace(ARTIFACT, id=2, owner="mallory", spec=spec)
        for name in (NAME, NAME.replace("0123ABC", "7654321")):  # and one that is looked for later
            with pytest.raises(PublishError) as refused:
                publish(hostile, (sent(contents, name, b"hostile"),))
            assert "sys is alice's" in refused.value.brief
            assert "Give the package another name" in refused.value.resolution
    assert [path.name for path in site.iterdir() if path.name != ".owners"] == [NAME]
    assert (site / NAME).read_bytes() == b"genuine"
    found = owned_by(site, "sys")
    assert found is not None
    assert (found.owner, found.task, found.bundle) == ("alice", 1, ARTIFACT.spec.bundle)
    publish(replace(ARTIFACT, id=3), (sent(contents, NAME.replace("1.0", "1.1"), b"next"),))


def test_what_was_published_before_there_were_tokens_gets_an_owner(place: Workplace) -> None:
    contents = store(place)
    publish, site = publisher(place, contents), place.config.work_dir / "farm" / "artifacts"
    for owner in ("local", "alice"):
        publish(replace(ARTIFACT, owner=owner), (sent(contents, NAME, b"genuine"),))
    found = owned_by(site, "sys")
    assert found is not None
    assert found.owner == "alice"


@pytest.mark.parametrize(
    ("name", "package"),
    [
        (NAME, "sys"),
        ("my-tool-linux_x86_64-2.0-rc-1-ABCDEF0.tar.xz", "my-tool"),
        ("a-portable-portable-1-ABCDEF0.tar.gz", "a"),  # so nobody has a's names but its owner
        ("firmware.fw", "firmware.fw"),
    ],
)
def test_the_package_of_an_archive(name: str, package: str) -> None:
    assert package_of(name) == package


def test_builds_of_different_owners_share_no_artifacts_on_a_worker(place: Workplace) -> None:
    folders = {
        (config.artifacts.folder, config.cache.download_dir)
        for owner in ("alice", "mallory", "local")
        for config in [own_artifacts(place.config, owner)]
    }
    assert len(folders) == 3
    assert own_artifacts(place.config, "") == place.config


def test_a_source_package_of_the_archive_publishes_its_own_packages_only(
    base_work_dir: Path, tmp_path: Path
) -> None:
    place = open_work_dir(clone(base_work_dir, tmp_path / "work"), runner="userns")
    spec = TaskSpec(name="apt:hello", source="apt:hello", branch="stable")
    task = Task(id=7, spec=spec, state=TaskState.PUBLISHING)
    known = {
        "contents": store(place),
        "limit": 1,
        "published": (),
        "named": lambda _: "",
        "archived": partial(archive_names, place, BranchName("stable")),
    }
    for package in ("libc6", "never-seen"):
        with pytest.raises(PublishError, match=f"{package} is none of the packages"):
            check_names(task, ["hello", package], **known)  # type: ignore[arg-type]
    check_names(task, ["hello", "hello-dbgsym"], **known)  # type: ignore[arg-type]
