"""The farm's pages without scripts: what is in them, forms, escaping, what is refused."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest

from farm_data import fill_tasks
from farm_hand import HandWorker
from farm_server import FarmServer, farm_server
from farm_site import PAGES, SETTINGS
from lapstrake.farm.tables.database import Database, address
from shop import EXAMPLES

_EVIL = "<script>alert(1)</script>\"'&"
_VOID = frozenset({"meta", "link", "img", "input", "br", "path", "rect", "line", "polyline"})


class Document(HTMLParser):
    """A page's elements; it complains of what is inline, unclosed or without a name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        assert not [name for name in given if name == "style" or name.startswith("on")], given
        assert tag not in {"style", "base", "iframe", "object"}
        assert tag != "script" or given["src"].startswith("/static/")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All that is written, in one line."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements of a kind."""
        return [given for name, given in self.elements if name == tag]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    with farm_server(tmp_path_factory.mktemp("farm"), settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: FarmServer) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def hand(client: httpx2.Client) -> HandWorker:
    worker = HandWorker(client=client)
    worker.register(clock=1.0)
    return worker


def _page(client: httpx2.Client, path: str, status: int = 200) -> Document:
    answer = client.get(path)
    assert answer.status_code == status, f"{path}: {answer.status_code}"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    return Document(answer.text)


def _submit(client: httpx2.Client, **spec: object) -> int:
    given = {"name": "hello", "source": "apt:hello", "branch": "stable", "arch": "amd64"}
    answer = client.post(
        "/api/v1/tasks", json={"spec": given | {"fresh": True, "publish": False} | spec}
    )
    assert answer.is_success, answer.text
    return int(answer.json()["id"])


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_read_by_all(client: httpx2.Client, path: str) -> None:
    page = _page(client, path)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("header")) == 1
    assert page.all("a")[0]["href"] == "#main"
    assert all("alt" in image for image in page.all("img"))
    assert all("scope" in cell for cell in page.all("th"))
    assert all(form["method"] in {"get", "post"} for form in page.all("form"))
    ids = [given["id"] for _, given in page.elements if "id" in given]
    assert len(ids) == len(set(ids))
    live = [given for _, given in page.elements if "data-live" in given]
    assert all(given.get("id") for given in live)
    named = {
        word for given in page.elements for word in given[1].get("aria-labelledby", "").split()
    }
    assert named <= set(ids)


def test_images_are_part_of_the_farms_pages(client: httpx2.Client) -> None:
    images = _page(client, "/images")
    assert f"docker pull {client.base_url.netloc.decode()}/shell/hello:stable" in images.text
    assert "Being made now Nothing at the moment." in images.text
    for path in ("/images/never:made", "/images/%3Cscript%3E:x", "/jobs/99", "/jobs/x/log"):
        page = _page(client, path, 404)
        current = [link["href"] for link in page.all("a") if "aria-current" in link]
        assert current == ["/images"], path
    with client.stream("GET", "/jobs/99/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        assert "event: end" in "".join(events.iter_text())
    assert client.get("/static/making.js").status_code == 200


def test_what_users_write_is_text(client: httpx2.Client, hand: HandWorker) -> None:
    task = _submit(client, name=_EVIL)
    hand.claim(task)
    hand.write(task, f"{_EVIL}\n\x1b[31m{_EVIL}\x1b[0m\x00\x07\n\xff\n".encode("latin-1"))
    hand.finish(task, ok=False, error=_EVIL, step=_EVIL, version=_EVIL)
    for path in (f"/tasks/{task}", "/tasks", "/", "/history", f"/tasks/{task}?q=<script>"):
        page = _page(client, path)
        assert _EVIL in page.text
        assert len(page.all("script")) == 1
    page = _page(client, f"/tasks/{task}")
    assert f"{_EVIL}^@^G" in "".join(page.words)
    assert client.get(f"/tasks?name={_EVIL}").text.count("<script") == 1
    assert _EVIL not in client.get("/branches/%3Cscript%3E").text


def test_a_log_can_be_read_by_windows(client: httpx2.Client, hand: HandWorker) -> None:
    task = _submit(client)
    hand.claim(task)
    hand.write(task, "".join(f"line {number}\n" for number in range(1, 3001)))
    hand.finish(task)
    assert _rows(_page(client, f"/tasks/{task}")) == range(2501, 3001)
    assert _rows(_page(client, f"/tasks/{task}?line=1000")) == range(950, 1450)
    assert _rows(_page(client, f"/tasks/{task}?line=1")) == range(1, 501)
    assert len(_rows(_page(client, f"/tasks/{task}?line=99999999"))) == 0
    page = _page(client, f"/tasks/{task}?q=LINE+1234")
    assert "?attempt=1&line=1234#L1234" in [link["href"] for link in page.all("a")]
    rows = Document(client.get(f"/tasks/{task}/log/lines?attempt=1&from=10&count=5").text)
    assert _rows(rows) == range(10, 15)
    hits = client.get(f"/tasks/{task}/log/hits?attempt=1&q=line 29").json()
    assert hits["lines"][:2] == [29, 290]
    assert hits["whole"]
    assert client.get("/tasks/999999/log/hits?q=x").status_code == 404
    _page(client, f"/tasks/{task}?attempt=9", 404)


def test_a_task_shows_what_it_used_and_made(client: httpx2.Client, hand: HandWorker) -> None:
    task = _submit(client, memory=1 << 30)
    assert "Why it waits" in _page(client, f"/tasks/{task}").text
    hand.claim(task)
    hand.sample(
        task,
        [
            {"seconds": 3 * n, "cpu_seconds": 3 * n, "memory": (500 + n) << 20, "processes": 2}
            for n in range(20)
        ],
    )
    hand.finish(task, files={"hello_1_amd64.deb": b"not one"}, version="1")
    page = _page(client, f"/tasks/{task}")
    plots = [given["aria-label"] for given in page.all("svg") if given.get("role") == "img"]
    assert [label.split()[0] for label in plots] == [
        "Processors",
        "Memory",
        "Disk",
        "Processes",
        "Network",
    ]
    assert "limit 1.0 GiB" in plots[1]
    assert "519.0 MiB" in page.text
    links = [link["href"] for link in page.all("a")]
    artifact = f"/api/v1/tasks/{task}/artifacts/hello_1_amd64.deb"
    assert artifact in links
    assert client.get(artifact).content == b"not one"


def test_a_list_and_the_task_say_why_it_failed(client: httpx2.Client, hand: HandWorker) -> None:
    task = _submit(client)
    hand.claim(task)
    hand.finish(task, ok=False, error="no rule to make it", step="build")
    assert "no rule to make it" in _page(client, "/tasks").text
    told = _page(client, f"/tasks/{task}").text
    assert told.count("no rule to make it") == 2  # above, and in what happened


def test_forms_work_without_scripts(client: httpx2.Client) -> None:
    task = _submit(client)
    answer = client.post(f"/tasks/{task}/priority", data={"priority": "7"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/tasks/{task}")
    assert client.post(f"/tasks/{task}/priority", data={"priority": "700"}).status_code == 422
    assert client.post(f"/tasks/{task}/cancel", data={"reason": "no more"}).status_code == 303
    assert "no more" in _page(client, f"/tasks/{task}").text
    refused = client.post(f"/tasks/{task}/cancel", data={})
    assert refused.status_code == 409
    assert 'role="alert"' in refused.text
    assert client.post(f"/tasks/{task}/retry", data={}).status_code == 303
    assert client.get(f"/api/v1/tasks/{task}").json()["state"] == "queued"
    assert client.post("/tasks/999999/cancel", data={}).status_code == 404
    assert client.post("/tasks/x/cancel", data={}).status_code == 404


def test_a_worker_is_drained_and_its_clock_is_told(client: httpx2.Client, hand: HandWorker) -> None:
    page = _page(client, "/workers")
    assert "behind the server's" in page.text
    assert client.post(f"/workers/{hand.name}/drain", data={}).status_code == 303
    assert "Take work again" in _page(client, f"/workers/{hand.name}").text
    assert client.post(f"/workers/{hand.name}/resume", data={}).status_code == 303
    assert client.post(f"/workers/{hand.name}/forget", data={}).status_code == 409
    assert client.post("/workers/nobody/drain", data={}).status_code == 404


def test_a_bundle_is_sent_by_the_form(client: httpx2.Client) -> None:
    form = {"branch": "stable", "arch": "amd64", "priority": "3"}
    answer = client.post(
        "/submit", data=form, files={"bundle": ("b.tar", _bundle(EXAMPLES / "native/nothing"))}
    )
    assert answer.status_code == 303, Document(answer.text).text
    task = client.get(f"/api/v1{answer.headers['location']}").json()
    assert (task["spec"]["name"], task["priority"], task["state"]) == ("nothing", 3, "queued")
    assert not task["spec"]["fresh"]
    by_script = client.post(
        "/submit", data=form | {"source": "apt:hello"}, headers={"Accept": "application/json"}
    )
    assert re.fullmatch(r"/tasks/\d+", by_script.json()["location"])
    again = client.post("/submit", data=form | {"source": "apt:hello", "fresh": "yes"})
    assert client.get(f"/api/v1{again.headers['location']}").json()["spec"]["fresh"]


@pytest.mark.parametrize(
    ("form", "file", "status", "told"),
    [
        ({}, None, 422, "there is no bundle"),
        ({"source": "apt:hello"}, b"x", 422, "there are an archive and a source"),
        ({}, b"", 422, "the file is empty"),
        ({}, b"no archive", 422, ""),
        ({"source": "apt:hello", "branch": "none"}, None, 422, "stable"),
        ({"source": "apt:hello", "arch": "vax"}, None, 422, "vax"),
        ({"source": "apt:hello", "priority": "much"}, None, 422, "priority"),
        ({"source": "apt:no such thing"}, None, 422, "apt:"),
    ],
)
def test_a_wrong_form_says_what_is_wrong(
    client: httpx2.Client, form: dict[str, str], file: bytes | None, status: int, told: str
) -> None:
    files = {"bundle": ("b.tar", file)} if file is not None else {}
    sent = {"branch": "stable", "arch": "amd64"} | form
    answer = client.post("/submit", data=sent, files=files)
    assert answer.status_code == status
    page = Document(answer.text)
    assert told in page.text
    json = {"Accept": "application/json"}
    document = client.post("/submit", data=sent, files=files, headers=json).json()
    assert document["status"] == status
    assert document["detail"] in page.text
    assert document["resolution"] in page.text


def test_nothing_of_a_refused_form_stays_queued(client: httpx2.Client) -> None:
    before = client.get("/api/v1/tasks?state=queued&state=new&limit=200").json()["items"]
    client.post("/submit", data={"branch": "none", "arch": "amd64", "source": "apt:hello"})
    assert client.get("/api/v1/tasks?state=queued&state=new&limit=200").json()["items"] == before


def test_groups_are_drawn_and_listed(client: httpx2.Client) -> None:
    spec = {"name": "x", "source": "apt:hello", "arch": "amd64", "publish": False, "fresh": True}
    members = [
        {"name": "base", "spec": spec, "needs": []},
        {"name": _EVIL, "spec": spec, "needs": ["base"]},
    ]
    group = client.post(
        "/api/v1/groups", json={"name": _EVIL, "branch": "stable", "members": members}
    ).json()
    page = _page(client, f"/groups/{group['id']}")
    assert f"{_EVIL}: waiting" in [link.get("aria-label") for link in page.all("a")]
    assert len([path for path in page.all("path") if path.get("class") == "arrow"]) == 1
    assert "2 ended" in page.text or "0 of 2 ended" in page.text
    assert client.post(f"/groups/{group['id']}/cancel", data={}).status_code == 303
    assert "Resume" in _page(client, f"/groups/{group['id']}").text
    assert client.post(f"/groups/{group['id']}/resume", data={}).status_code == 303
    _page(client, "/groups/999999", 404)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tasks/0", 404),
        ("/tasks/-1", 404),
        ("/tasks/99999999999999999999", 404),
        ("/tasks?state=lost", 422),
        ("/tasks?after=x", 422),
        ("/history?after=x", 422),
        ("/groups?after=..", 422),
        ("/branches/none", 404),
        ("/workers/none", 404),
    ],
)
def test_wrong_addresses_are_pages_too(client: httpx2.Client, path: str, status: int) -> None:
    page = _page(client, path, status)
    assert len(page.all("h1")) == 1


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/nowhere", "text/html,*/*;q=0.8", "text/html"),
        ("/static/none.css", "text/html,*/*;q=0.8", "text/html"),
        ("/nowhere", "*/*", "application/problem+json"),
        ("/api/v1/nowhere", "text/html,*/*;q=0.8", "application/problem+json"),
    ],
)
def test_an_address_that_is_none_is_told_to_people_and_to_programs(
    client: httpx2.Client, path: str, accept: str, kind: str
) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith(kind)
    assert path in answer.text


def test_lists_are_followed_to_their_end(server: FarmServer, client: httpx2.Client) -> None:
    fill_tasks(Database(address("", server.work_dir / "farm")), 130)
    seen: list[str] = []
    path = "/tasks?owner=ada"
    while path:
        page = _page(client, path)
        seen += [given["id"] for given in page.all("tr") if given.get("id")]
        path = next((f"{a['href']}" for a in page.all("a") if a.get("rel") == "next"), "")
    assert len(seen) == len(set(seen))
    wanted = client.get("/api/v1/tasks?owner=ada&limit=200").json()["items"]
    assert seen == [f"task-{task['id']}" for task in wanted]


def test_who_has_no_token_is_led_to_the_door_and_back(
    server: FarmServer, client: httpx2.Client
) -> None:
    """The last one here: from now on the server wants tokens of everybody."""
    wrong = {"name": "no name", "scope": "admin"}
    assert client.post("/tokens", data=wrong).status_code == 422
    assert client.post("/tokens", data=wrong | {"name": "x", "scope": "all"}).status_code == 422
    assert client.post("/tokens", data={"name": "x", "expires": "soon"}).status_code == 422
    root = _made(client.post("/tokens", data={"name": "root", "scope": "admin"}))
    admin = {"Authorization": f"Bearer {root}"}
    secret = _token(client, admin, "ada", "submit")
    with server.client() as guest:
        _go_through_the_door(guest, secret)
    with server.client() as guest:
        _manage_tokens(guest, root, secret)


def _made(answer: httpx2.Response) -> str:
    """The secret, which is in this answer only."""
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return str(re.findall(r"lst_[\w-]+", answer.text)[0])


def _manage_tokens(client: httpx2.Client, root: str, other: str) -> None:
    client.post("/login", data={"token": root})
    page = _page(client, "/tokens")
    assert "ada" in page.text
    assert "lst_" not in page.text
    csrf = next(i["value"] for i in page.all("input") if i.get("name") == "csrf")
    form = {"csrf": csrf, "name": "oak", "scope": "worker", "expires": "1h"}
    assert client.post("/tokens", data=form | {"csrf": "x"}).status_code == 403
    _made(client.post("/tokens", data=form))
    assert "in 59 min" in _page(client, "/tokens").text
    assert client.post("/tokens", data=form).status_code == 409
    assert client.post("/tokens/root/remove", data={"csrf": csrf}).status_code == 409
    assert client.post("/tokens/none/remove", data={"csrf": csrf}).status_code == 404
    assert client.post("/tokens/ada/remove", data={"csrf": csrf}).status_code == 303
    assert client.get("/tasks", headers={"Authorization": f"Bearer {other}"}).status_code == 401


def _token(client: httpx2.Client, admin: dict[str, str], name: str, scope: str) -> str:
    answer = client.post("/api/v1/tokens", json={"name": name, "scope": scope}, headers=admin)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["secret"])


def _go_through_the_door(client: httpx2.Client, secret: str) -> None:
    answer = client.get("/tasks?state=failed")
    assert answer.status_code == 303
    door = answer.headers["location"]
    assert door == "/login?next=/tasks%3Fstate%3Dfailed"
    assert "Sign in" in _page(client, door).text
    wrong = client.post("/login", data={"token": "lst_wrong", "next": "/tasks"})
    assert wrong.status_code == 401
    for onward in ("//evil.example", "https://evil.example/", "/\\evil.example", "x"):
        client.cookies.clear()
        right = client.post("/login", data={"token": secret, "next": onward})
        assert right.headers["location"] == "/"
    page = _page(client, "/submit")
    assert "Signed in as ada" in page.text
    form = {"source": "apt:hello", "branch": "stable", "arch": "amd64"}
    assert client.post("/submit", data=form).status_code == 403
    csrf = next(i["value"] for i in page.all("input") if i.get("name") == "csrf")
    assert client.post("/submit", data=form | {"csrf": csrf}).status_code == 303
    assert client.post("/workers/x/drain", data={"csrf": csrf}).status_code == 403
    assert client.post("/logout", data={"csrf": csrf}).status_code == 303
    assert client.get("/tasks").status_code == 303


def _bundle(folder: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.add(folder, folder.name)
    return out.getvalue()


def _rows(page: Document) -> range:
    """The numbers of the lines of a log that are shown."""
    numbers = [
        int(given["id"][1:])
        for given in page.all("div")
        if given.get("class", "").startswith("row")
    ]
    return range(numbers[0], numbers[-1] + 1) if numbers else range(0)
