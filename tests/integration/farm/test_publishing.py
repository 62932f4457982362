"""Publishing what workers sent: signed by the server, and nothing that is not what it says."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lapstrake.errors import LapstrakeError
from lapstrake.farm.contents.pack import pack_bundle
from lapstrake.farm.contents.publishing import publisher
from lapstrake.farm.contents.store import ContentStore
from lapstrake.farm.values.tasks import OutputFile, Task, TaskKind, TaskSpec, TaskState
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of
from roots import open_work_dir, write_configuration

TASK = Task(
    id=7, spec=TaskSpec(name="tiny", branch="stable", arch="amd64"), state=TaskState.PUBLISHING
)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    write_configuration(tmp_path / "work")
    return open_work_dir(tmp_path / "work")


@pytest.fixture
def contents(place: Workplace) -> ContentStore:
    return ContentStore(
        place.config.work_dir / "farm" / "contents", upload_limit=1 << 20, disk_low=0
    )


@pytest.fixture
def sent(contents: ContentStore, tmp_path: Path) -> Callable[..., OutputFile]:
    """Make a package, as a worker sends it."""

    def send(
        name: str = "tiny",
        arch: str = "all",
        *,
        version: str = "1:2.0-1",
        called: str = "",
        text: str = "",
    ) -> OutputFile:
        root = tmp_path / "tree"
        (root / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (root / "DEBIAN" / "control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\n"
            f"Maintainer: A <a@example.org>\nDescription: {name}{text}\n"
        )
        file = contents.scratch / "sent.deb"
        command = ["dpkg-deb", "-Znone", "--root-owner-group", "-b", str(root), str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        size = file.stat().st_size
        return OutputFile(
            name=called or f"{name}_2.0-1_{arch}.deb", digest=contents.add_file(file), size=size
        )

    return send


def plain(contents: ContentStore, name: str, data: bytes = b"data") -> OutputFile:
    file = contents.scratch / "plain"
    file.write_bytes(data)
    return OutputFile(name=name, digest=contents.add_file(file), size=len(data))


def test_packages_are_published_once(
    place: Workplace, contents: ContentStore, sent: Callable[..., OutputFile]
) -> None:
    publish = publisher(place, contents)
    outputs = (sent(), sent("tiny-bin", "amd64"), plain(contents, "tiny.buildinfo"))
    done = publish(TASK, outputs)
    repository = repository_of(place, BranchName("stable"))
    state = repository.state()
    assert [entry.name for entry in repository.packages()] == [
        "tiny_2.0-1_all.deb",
        "tiny-bin_2.0-1_amd64.deb",
    ]
    assert [output.published for output in done] == [
        "tiny_2.0-1_all.deb (added)",
        "tiny-bin_2.0-1_amd64.deb (added)",
        "",
    ]
    again = publish(TASK, outputs)  # as after a crash of the server
    assert next(output.published for output in again) == "tiny_2.0-1_all.deb (kept)"
    assert repository.state() == state
    assert repository.verify() == ()
    assert not list(contents.scratch.iterdir())


def test_a_task_may_publish_nothing(
    place: Workplace, contents: ContentStore, sent: Callable[..., OutputFile]
) -> None:
    task = replace(TASK, spec=replace(TASK.spec, publish=False))
    outputs = (sent(),)
    assert publisher(place, contents)(task, outputs) == outputs
    assert not place.output(BranchName("stable")).exists()


def _refused(
    place: Workplace, contents: ContentStore, outputs: tuple[OutputFile, ...], task: Task = TASK
) -> str:
    with pytest.raises(LapstrakeError) as refused:
        publisher(place, contents)(task, outputs)
    assert not (place.output(BranchName("stable")) / "InRelease").exists()
    return refused.value.brief


def test_hostile_results(
    place: Workplace, contents: ContentStore, sent: Callable[..., OutputFile]
) -> None:
    good = sent()

    def refused(*outputs: OutputFile, task: Task = TASK) -> str:
        return _refused(place, contents, outputs, task)

    for name in ("../x.deb", "/etc/x", ".hidden", "a/b.deb", "", "x\n.deb", "x" * 300):
        assert "is no file's name" in refused(replace(good, name=name))
    assert "not unique" in refused(good, good)
    assert "its bytes" in refused(replace(good, size=good.size + 1))
    assert "its bytes" in refused(replace(good, digest="sha256:" + "0" * 64))
    assert "is not a .deb" in refused(good, plain(contents, "fake_1_all.deb"))
    assert "other" in refused(sent("other", called="tiny_2.0-1_all.deb"))
    assert "for arm64" in refused(sent("tiny", "arm64"))
    assert "tiny_2.0-1" in refused(sent(called="tiny_9.9_all.deb", text="!"))


def test_a_package_of_aosc_names_the_revision_0(
    place: Workplace, contents: ContentStore, sent: Callable[..., OutputFile]
) -> None:
    (done,) = publisher(place, contents)(TASK, (sent(version="2.0", called="tiny_2.0-0_all.deb"),))
    assert done.published == "tiny_2.0-0_all.deb (added)"


def test_a_cross_build_publishes_for_its_target(
    place: Workplace, contents: ContentStore, sent: Callable[..., OutputFile]
) -> None:
    task = replace(TASK, spec=replace(TASK.spec, target="arm64"))
    (done,) = publisher(place, contents)(task, (sent("tiny", "arm64"),))
    assert done.published == "tiny_2.0-1_arm64.deb (added)"


def test_a_branch_that_vanished(
    place: Workplace, contents: ContentStore, sent: Callable[..., OutputFile]
) -> None:
    (place.config.work_dir / "conf" / "source_lists" / "stable.sources").unlink()
    assert "no branch 'stable' any more" in _refused(place, contents, (sent(),))


def test_artifacts_go_to_the_site(place: Workplace, contents: ContentStore) -> None:
    task = replace(TASK, spec=TaskSpec(kind=TaskKind.ARTIFACT, name="sys"))
    output = plain(contents, "sys-portable-1.0-ABC.tar.gz", b"archive")
    other = plain(contents, output.name, b"another")
    fresh = replace(task, spec=replace(task.spec, fresh=True))
    site = place.config.work_dir / "farm" / "artifacts"
    for order, sent, action, found in (
        (task, output, "added", b"archive"),
        (task, output, "kept", b"archive"),
        (task, other, "kept", b"archive"),
        (fresh, other, "replaced", b"another"),
        (fresh, other, "kept", b"another"),
    ):
        (done,) = publisher(place, contents)(order, (sent,))
        assert done.published == f"{output.name} ({action})"
        assert (site / output.name).read_bytes() == found
    assert "no file's name" in _refused(place, contents, (replace(output, name="../a"),), task)


def test_a_task_publishes_the_packages_of_its_bundle_only(
    place: Workplace, contents: ContentStore, sent: Callable[..., OutputFile], tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "lapstrake.toml").write_text(
        '[package]\nname = "tiny"\nversion = "2.0"\ndescription = "Tiny"\n\n'
        '[steps]\nbuild = "true"\n'
    )
    archive = contents.scratch / "tiny.tar"
    pack_bundle(folder, archive)
    bundle = replace(TASK, spec=replace(TASK.spec, bundle=contents.add_file(archive)))
    brief = _refused(place, contents, (sent(), sent("libc6")), bundle)
    assert brief == "libc6 is none of the packages that the bundle says it makes: tiny"
    publisher(place, contents)(bundle, (sent(), sent("tiny-dbgsym", "amd64")))

    names = {7: "utils/tiny", 8: "apt:tiny=2.0", 9: "apt:other"}
    publish = publisher(place, contents, lambda task: names.get(task, ""))
    for number in (8, 9):
        spec = replace(TASK.spec, source=names[number], name=names[number])
        task = replace(TASK, id=number, spec=spec)
        hostile = (sent(version="9:9.0-1", called="tiny_9.0-1_all.deb"),)
        if number == 8:
            publish(task, hostile)
        else:
            with pytest.raises(LapstrakeError, match="tiny is a package of"):
                publish(task, hostile)
