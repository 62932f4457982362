"""Images that exist because somebody pulls them: the real server, its child, tiny packages."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest

from lapstrake.branch.instance import enter_branch
from lapstrake.errors import BranchError
from lapstrake.host.process import find_program
from lapstrake.names import BranchName, GuestPath
from lapstrake.place.apt import Apt
from lapstrake.progress import Silent
from lapstrake.registry.demand.jobs import Jobs
from lapstrake.repository.open import repository_of
from lapstrake.runner.base import Limits
from object_storage import object_storage
from roots import clone, open_work_dir
from served import DOCKER, OCI, Served, digest_of, layers_of, running_registry
from shop import Shop

_SCRIPTS = {"broken": "echo no such luck; exit 7", "slow": "echo about to wait; sleep 600"}
_FIELDS = {"quarrel": "Conflicts: greet\n"}


@pytest.fixture(scope="module")
def stocked(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, str]:
    """A shop whose images hold what is asked for only, and a branch with packages of all kinds.

    ``greet`` is built as users build, the others are put together: that is quicker.
    """
    folder = tmp_path_factory.mktemp("demand")
    work_dir = clone(base_work_dir, folder / "work")
    shop = Shop(work_dir=work_dir, settings={"images.always": "", "registry.timeout": "10min"})
    branch = shop.branch()
    shop.build(shop.bundle("greet"), branch)
    debs = [_package(folder, name) for name in ("salute", "broken", "slow", "quarrel")]
    repository_of(open_work_dir(work_dir), BranchName(branch)).publish(debs)
    return shop, branch


def _package(folder: Path, name: str) -> Path:
    """A package of one file, with a script or a field where the tables above have one for it."""
    root = folder / name
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\n"
        f"{_FIELDS.get(name, '')}Description: {name}\n"
    )
    if name in _SCRIPTS:
        (root / "DEBIAN" / "postinst").write_text(f"#!/bin/sh\n{_SCRIPTS[name]}\n")
        (root / "DEBIAN" / "postinst").chmod(0o755)
    (root / "usr" / "share" / name).mkdir(parents=True)
    (root / "usr" / "share" / name / "hi").write_text("hi\n")
    deb = folder / f"{name}_1_all.deb"
    words = ["dpkg-deb", "-Znone", "--root-owner-group", "-b", str(root), str(deb)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return deb


@pytest.fixture(scope="module")
def served(stocked: tuple[Shop, str]) -> Iterator[Served]:
    with running_registry(stocked[0], "--access-log", "off", "--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def branch(stocked: tuple[Shop, str]) -> str:
    return stocked[1]


def test_eight_cold_pulls_at_once_make_one_image(
    served: Served, branch: str, stocked: tuple[Shop, str]
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: served.manifest(f"greet:{branch}"), range(8)))
    assert len({digest_of(answer) for answer in answers}) == 1
    assert len({answer.content for answer in answers}) == 1
    assert _works(stocked, "greet") == 1
    for digest in layers_of(answers[0]):
        blob = served.get(f"/v2/greet/blobs/{digest}").content
        assert "sha256:" + hashlib.sha256(blob).hexdigest() == digest
    assert served.manifest(f"greet@{digest_of(answers[0])}").content == answers[0].content


def test_head_makes_and_then_is_known(
    served: Served, branch: str, stocked: tuple[Shop, str]
) -> None:
    """containerd asks by HEAD first, and takes a 404 for the last word."""
    title = f"greet/salute:{branch}"
    head = served.manifest(title, method="HEAD")
    assert not head.content
    assert digest_of(head) == digest_of(served.manifest(title))
    assert int(head.headers["content-length"]) == len(served.manifest(title).content)
    assert _works(stocked, "greet/salute") == 1


def test_the_order_of_a_name_makes_no_other_image(
    served: Served, branch: str, stocked: tuple[Shop, str]
) -> None:
    first = served.manifest(f"greet/salute:{branch}")
    assert digest_of(first) == digest_of(served.manifest(f"salute/greet:{branch}"))
    assert _works(stocked, "salute/greet") == 0


@pytest.mark.parametrize("wanted", [OCI, DOCKER])
def test_clients_get_the_types_they_read(served: Served, branch: str, wanted: str) -> None:
    answer = served.manifest(f"greet:{branch}", accept=wanted)
    assert answer.headers["content-type"] == wanted
    assert json.loads(answer.content)["mediaType"] == wanted
    assert digest_of(answer) == "sha256:" + hashlib.sha256(answer.content).hexdigest()


def test_all_that_is_missing_is_named_in_one_answer(served: Served, branch: str) -> None:
    missing = [f"no-such-{number}" for number in range(20)]
    name = "/".join([*missing[:10], "greet", *missing[10:]])
    status, error = served.error(f"{name}:{branch}")
    assert (status, error["code"]) == (404, "MANIFEST_UNKNOWN")
    assert sorted(error["detail"]["not_found"]) == sorted(missing)
    assert error["detail"]["pkgs"] == error["detail"]["not_found"]
    assert all(each in error["message"] for each in missing)
    if find_program("skopeo") is not None:  # what users see of it
        told = _skopeo(served, f"{name}:{branch}")
        assert "not found: no-such-0" in told


def test_a_name_cannot_climb(served: Served, branch: str) -> None:
    connection = http.client.HTTPConnection(served.host)  # it sends paths as they are
    connection.request("GET", f"/v2/greet/../../etc/manifests/{branch}")
    answer = connection.getresponse()
    assert answer.status == 400
    assert json.loads(answer.read())["errors"][0]["code"] == "NAME_INVALID"


def test_a_name_of_500_packages_is_refused_clearly(served: Served, branch: str) -> None:
    status, error = served.error(f"{'/'.join(f'p{number}' for number in range(500))}:{branch}")
    assert (status, error["code"]) == (400, "NAME_INVALID")
    assert "255" in error["message"]


@pytest.mark.parametrize("name", ["Greet", "greet//salute", "a" * 256, "greet_"])
def test_wrong_names_are_refused_at_once(served: Served, branch: str, name: str) -> None:
    status, error = served.error(f"{name}:{branch}")
    assert (status, error["code"]) == (400, "NAME_INVALID")


def test_a_branch_that_does_not_exist(served: Served) -> None:
    status, error = served.error("greet:nowhere")
    assert (status, error["code"]) == (404, "MANIFEST_UNKNOWN")
    assert "nowhere" in error["message"]


def test_a_failing_postinst_names_package_and_step(served: Served, branch: str) -> None:
    status, error = served.error(f"broken:{branch}")
    assert 400 <= status < 500, "docker shows the message of those only"
    assert "broken" in error["message"]
    assert "no such luck" in json.dumps(error["detail"])
    assert error["detail"]["step"]
    page = served.get("/").text
    assert f"broken:{branch}" in page
    work = served.get(f"/jobs/{error['detail']['job']}").text
    assert "no such luck" in work


def test_packages_that_exclude_each_other(served: Served, branch: str) -> None:
    status, error = served.error(f"greet/quarrel:{branch}")
    assert 400 <= status < 500
    assert "cannot be installed together with" in error["message"]
    assert {"greet", "quarrel"} <= set(re.findall(r"\w+", error["message"].partition(": ")[2]))


def test_lists_and_pages_show_what_was_made(served: Served, branch: str) -> None:
    served.manifest(f"greet:{branch}")
    tags = served.get("/v2/greet/tags/list").json()["tags"]
    assert {branch, "stable", "latest"} <= set(tags)
    assert "greet" in served.get("/v2/_catalog").json()["repositories"]
    start = served.get("/").text
    assert f'href="/images/greet:{branch}"' in start
    image = served.get(f"/images/greet:{branch}").text
    assert f"docker pull {served.host}/greet:{branch}" in image
    assert "greet_1" in image
    documents = dict(re.findall(r'href="(/v2/greet/blobs/[^"]+)">(\w+)', image)).items()
    assert {word for _, word in documents} >= {"SPDX", "CycloneDX"}
    for link, _ in documents:
        assert served.get(link).status_code == 200
    for path in ("/images/never:made", "/images/a%2f..%2fb:c", "/images/x", "/jobs/99999"):
        answer = served.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
    escaped = served.get("/images/<script>alert(1)</script>:x").text
    assert "<script>alert" not in escaped
    figures = served.get("/metrics").text
    assert re.search(r'^lapstrake_works\{state="running"\} 0$', figures, re.M)


def test_a_client_that_leaves_finds_it_made_later(served: Served, branch: str) -> None:
    name = "salute"
    with pytest.raises(httpx.TimeoutException):
        httpx.get(f"{served.url}/v2/{name}/manifests/{branch}", timeout=0.5)
    served.until_page(f"/jobs/{_number(served, f'{name}:{branch}')}", ">made<")
    assert digest_of(served.manifest(f"{name}:{branch}"))


def test_a_killed_child_is_told_and_leaves_nothing(
    served: Served, branch: str, stocked: tuple[Shop, str]
) -> None:
    with ThreadPoolExecutor(1) as pool:
        pulled = pool.submit(served.error, f"slow:{branch}")
        served.until_page("/jobs/" + _number(served, f"slow:{branch}"), "about to wait")
        (child,) = _children(served)
        below = child.children(recursive=True)
        child.kill()
        status, error = pulled.result()
    assert status == 500
    assert "SIGKILL" in error["message"]
    assert "slow" in error["message"]
    _, alive = psutil.wait_procs(below, timeout=20)
    assert not alive
    assert served.manifest(f"greet:{branch}").status_code == 200


def test_the_time_limit_names_what_took_it(stocked: tuple[Shop, str]) -> None:
    shop, branch = stocked
    with running_registry(shop.using(registry__timeout="8s")) as served:
        status, error = served.error(f"slow:{branch}")
        assert 400 <= status < 500
        assert "slow" in error["message"]
        assert "8 s" in error["message"]
        assert error["detail"]["log"]
        assert not _children(served)


def test_a_making_that_nobody_waits_for_holds_no_server(stocked: tuple[Shop, str]) -> None:
    shop, branch = stocked
    with running_registry(shop) as served:
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{served.url}/v2/slow/manifests/{branch}", timeout=0.5)
        served.until_page("/jobs/" + _number(served, f"slow:{branch}"), "about to wait")
        children = _children(served)
        assert children
        served.process.terminate()
        assert served.process.wait(15) == 0, "half a minute is for those who wait"
        assert not any(child.is_running() for child in children)


def test_a_killed_server_leaves_nothing_half_made(stocked: tuple[Shop, str]) -> None:
    shop, branch = stocked
    with running_registry(shop) as served, ThreadPoolExecutor(1) as pool:
        pulled = pool.submit(served.manifest, f"salute/slow:{branch}")
        served.until_page("/jobs/" + _number(served, f"salute/slow:{branch}"), "about to wait")
        children = _children(served)
        served.process.kill()
        assert isinstance(pulled.exception(), httpx.HTTPError)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    with running_registry(shop) as served:
        assert "the server ended while it was made" in served.get("/").text
        assert digest_of(served.manifest(f"greet:{branch}"))
        assert served.get(f"/images/salute/slow:{branch}").status_code == 404


def test_a_storage_that_fails_is_told(stocked: tuple[Shop, str], tmp_path: Path) -> None:
    shop, branch = stocked
    images = shop.work_dir / "images"
    with running_registry(shop) as served:
        assert served.get("/healthz").status_code == 200
        images.rename(tmp_path / "away")
        images.write_text("no folder")
        try:
            status, error = served.error(f"salute:{branch}")
        finally:
            images.unlink()
            (tmp_path / "away").rename(images)
        assert status >= 500
        assert error["message"]
        assert digest_of(served.manifest(f"salute:{branch}"))


def test_apt_in_a_root_installs_from_the_branch(
    served: Served, branch: str, stocked: tuple[Shop, str]
) -> None:
    """By the file that the server gives, over HTTP, signed."""
    place = open_work_dir(stocked[0].work_dir)
    root = enter_branch(place, BranchName("stable"), refresh=False)
    listed = served.get(f"/packages/{branch}.sources").text
    assert f"URIs: {served.url}/packages/{branch}" in listed
    only = ("-oDir::Etc::SourceParts=-", "-oDir::Etc::SourceList=/etc/apt/here.sources")
    trees = tuple(layer.tree for layer in root.layers)
    with (
        place.store.lease(root.layers),
        place.store.workspace("apt") as workspace,
        place.layer_runner.open(trees, workspace) as session,
    ):
        apt = Apt(
            session=session,
            progress=Silent(),
            error=BranchError,
            limits=Limits(),
            files={GuestPath("/etc/apt/here.sources"): listed.encode()},
        )
        apt.get(*only, "update")
        assert b"Hit:" in apt.get(*only, "update"), "unchanged files are not sent again"
        apt.get(*only, "install", "greet")
        assert apt.run(("cat", "/usr/share/greet/hi")) == b"hi\n"


def test_packages_are_files_with_ranges_and_nothing_else(served: Served, branch: str) -> None:
    listing = served.get(f"/packages/{branch}/")
    (name,) = set(re.findall(r'href="(greet_[^"]+\.deb)"', listing.text))
    path = f"/packages/{branch}/{name}"
    whole = served.get(path)
    assert whole.content.startswith(b"!<arch>")
    part = served.get(path, range="bytes=2-5")
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    assert served.get(path, if_none_match=whole.headers["etag"]).status_code == 304
    since = whole.headers["last-modified"]
    assert served.get(path, if_modified_since=since).status_code == 304
    assert served.get(path, if_modified_since="Mon, 01 Jan 2001 00:00:00 GMT").status_code == 200
    for hidden in (f"/packages/{branch}/.lapstrake/lock", "/packages/..%2fkeys/", "/packages/x/"):
        assert served.get(hidden).status_code == 404
    assert name not in served.get("/packages/").text


def test_images_are_kept_in_a_bucket_and_its_failure_is_told(stocked: tuple[Shop, str]) -> None:
    shop, branch = stocked
    with ExitStack() as server, object_storage() as storage:
        distant = shop.using(registry__storage="s3://lapstrake/demand")
        served = server.enter_context(running_registry(distant, **storage.environment("s3")))
        answer = served.manifest(f"greet:{branch}")
        assert digest_of(answer) == digest_of(served.manifest(f"greet:{branch}"))
        for digest in layers_of(answer):
            blob = httpx.get(f"{served.url}/v2/greet/blobs/{digest}", follow_redirects=True)
            assert "sha256:" + hashlib.sha256(blob.content).hexdigest() == digest
        assert f"greet:{branch}" in served.get("/").text
        storage.process.kill()
        storage.process.wait()
        status, error = served.error(f"salute:{branch}")
        assert status >= 500
        assert error["message"]


@pytest.mark.slow
def test_docker_pulls_and_runs_what_was_built_here(
    served: Served, branch: str, docker_daemon: str
) -> None:
    title = f"{served.host}/coreutils/greet:{branch}"
    command = ["docker", "-H", docker_daemon]
    try:
        run = [*command, "run", "--rm", "--network=none", title, "cat", "/usr/share/greet/hi"]
        done = subprocess.run(run, capture_output=True, text=True, timeout=300, check=False)
        assert done.stdout == "hi\n", done.stderr
    finally:
        subprocess.run([*command, "rmi", "--force", title], capture_output=True, check=False)


def _skopeo(served: Served, title: str) -> str:
    """What skopeo says of something that cannot be pulled."""
    command = ["skopeo", "inspect", "--tls-verify=false", f"docker://{served.host}/{title}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    return done.stderr


def _works(stocked: tuple[Shop, str], name: str) -> int:
    """How often something was made."""
    jobs = Jobs(stocked[0].work_dir / ".builder" / "registry" / "jobs").all()
    return sum(job.name == f"{name}:{stocked[1]}" for job in jobs)


def _number(served: Served, title: str) -> str:
    """The number of a work that runs."""
    page = served.until_page("/", f">{title}</a>")
    found = re.search(rf'/jobs/(\d+)">{re.escape(title)}<', page)
    assert found
    return found[1]


def _children(served: Served) -> list[psutil.Process]:
    """The children that make."""
    below = psutil.Process(served.process.pid).children(recursive=True)
    return [child for child in below if "lapstrake.cli.making" in child.cmdline()]
