"""The farm's pages as a person uses them, in a browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from farm_browser import Browser, browser, lacks_browser
from farm_hand import HandWorker
from farm_server import FarmServer, farm_server
from farm_site import PAGES, SETTINGS
from shop import EXAMPLES

_BUNDLE = """
const folder = (name, children) => ({ name, isFile: false, isDirectory: true, createReader() {
  let rest = children;
  return { readEntries(take) { const some = rest; rest = []; take(some); } };
} });
const file = (name, text) => ({ name, isFile: true, isDirectory: false,
  file(take) { take(new File([text], name)); } });
const entry = folder("hello-page", arguments[0].map(([name, text]) => file(name, text)));
const drop = new Event("drop", { bubbles: true, cancelable: true });
drop.dataTransfer = { files: [], items: [{ webkitGetAsEntry: () => entry }] };
document.querySelector("#drop").dispatchEvent(drop);
"""
_ARCHIVE = """
const data = new DataTransfer();
data.items.add(new File(["zip"], "dropped.zip"));
const drop = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data });
document.querySelector("#drop").dispatchEvent(drop);
"""

pytestmark = pytest.mark.skipif(bool(lacks_browser()), reason=lacks_browser() or "there is one")


class Farm:
    """A server, a worker played by hand, a browser that looks."""

    def __init__(self, server: FarmServer, page: Browser, hand: HandWorker) -> None:
        self.server = server
        self.page = page
        self.hand = hand

    def submit(self, name: str, **more: object) -> int:
        spec = {"name": name, "source": "apt:hello", "branch": "stable", "arch": "amd64"}
        answer = self.hand.client.post(
            "/api/v1/tasks", json={"spec": spec | {"fresh": True, "publish": False} | more}
        )
        assert answer.is_success, answer.text
        return int(answer.json()["id"])

    def building(self, name: str, **more: object) -> int:
        task = self.submit(name, **more)
        self.hand.claim(task)
        return task


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    place = tmp_path_factory.mktemp("farm")
    with (
        farm_server(place / "work", settings=SETTINGS) as server,
        server.client() as client,
        browser(server.url, place / "profile") as page,
    ):
        hand = HandWorker(client=client)
        hand.register()
        yield Farm(server, page, hand)


@pytest.fixture(autouse=True)
def quiet_console(farm: Farm) -> Iterator[None]:
    farm.page.resize(1280)
    farm.page.complaints()
    yield
    assert farm.page.complaints() == []


def test_a_log_is_followed_until_the_task_ends(farm: Farm) -> None:
    page, task = farm.page, farm.building("followed")
    farm.hand.write(task, "first\n")
    page.open(f"/tasks/{task}")
    page.until(lambda: "Following" in page.text(".follow"))
    for number in range(1, 12):
        farm.hand.write(task, "".join(f"line {number} {n}\n" for n in range(100)))
    page.until(lambda: "line 11 99" in page.text(".lines"))
    assert page.run(
        "const box = document.querySelector('.lines');"
        "return box.scrollHeight - box.scrollTop - box.clientHeight < 5"
    )
    assert page.all(".row")[-1].get_attribute("id") == "L1101"
    farm.hand.finish(task)
    page.until(lambda: "success" in page.text("#state"))
    assert "so far" not in page.text(".counted")
    assert not page.all(".follow")


def test_a_task_that_begins_gets_a_log_and_a_new_attempt_follows(farm: Farm) -> None:
    page, task = farm.page, farm.submit("begins")
    page.open(f"/tasks/{task}")
    page.until(lambda: "Why it waits" in page.text())
    farm.hand.claim(task)
    farm.hand.write(task, "of the first\n")
    page.until(lambda: "of the first" in page.text(".lines"))
    page.until(lambda: "Following" in page.text(".follow"))
    farm.hand.leave()
    page.until(lambda: "queued" in page.text("#state"))
    farm.hand.register()
    farm.hand.claim(task)
    farm.hand.write(task, "of the second\n")
    page.until(lambda: "of the second" in page.text(".lines"))
    assert "attempt 2" in page.text("#log-title")
    assert "lost" in page.text("#attempts")
    farm.hand.finish(task)
    page.until(lambda: "success" in page.text("#state"))


def test_a_live_line_looks_as_a_loaded_one(farm: Farm) -> None:
    page, task = farm.page, farm.building("coloured")
    lines = (
        "\x1b[1;31merror\x1b[0m <b>no tag</b> & \x07\x00",
        "  0%\r 50%\r100% done",
        "\x1b]0;title\x07shown \x1b[38;5;9mred?\x1b[m \x1b[2Kx",
        "x" * 5000,
        "\tüñ\u202eîcode",
    )
    farm.hand.write(task, "begin\n")
    page.open(f"/tasks/{task}")
    page.until(lambda: "Following" in page.text(".follow"))
    farm.hand.write(task, "\n".join(lines) + "\n")
    page.until(lambda: len(page.all(".row")) == 1 + len(lines))
    live = page.run("return document.querySelector('.lines').innerHTML")
    page.driver.refresh()
    page.until(lambda: "Following" in page.text(".follow"))
    assert page.run("return document.querySelector('.lines').innerHTML") == live
    assert not page.all(".lines span > b b, .lines span b:not([class])")
    farm.hand.finish(task)


def test_searching_goes_through_all_of_a_large_log(farm: Farm) -> None:
    page, task = farm.page, farm.building("searched")
    text = [f"line {number}\n" for number in range(1, 20_001)]
    text[41], text[14_999] = "a Needle here\n", "the second needle\n"
    farm.hand.write(task, "".join(text))
    farm.hand.finish(task, ok=False, error="it failed")
    page.open(f"/tasks/{task}")
    field = page.one("input[name=q]")
    field.send_keys("needle", Keys.ENTER)
    page.until(lambda: page.text(".found") == "1 of 2")
    assert page.one(".row.now").get_attribute("id") == "L42"
    assert page.run("return CSS.highlights.get('hits').size") == 1
    next(each for each in page.all(".tools button") if each.text == "Next").click()
    page.until(lambda: page.text(".row.now") and page.text(".found") == "2 of 2")
    assert page.one(".row.now").get_attribute("id") == "L15000"
    assert _in_view(page, "L15000")
    field.clear()
    field.send_keys("not in it", Keys.ENTER)
    page.until(lambda: page.text(".found") == "Not found.")


def test_a_line_has_a_link_and_a_range_too(farm: Farm) -> None:
    page, task = farm.page, farm.building("linked")
    farm.hand.write(task, "".join(f"line {number}\n" for number in range(1, 3001)))
    farm.hand.finish(task)
    page.open(f"/tasks/{task}#L1234")
    page.until(lambda: [row.text for row in page.all(".row.chosen span")] == ["line 1234"])
    assert _in_view(page, "L1234")
    ActionChains(page.driver).key_down(Keys.SHIFT).click(page.one("#L1236 > a")).key_up(
        Keys.SHIFT
    ).perform()
    assert [row.text for row in page.all(".row.chosen span")] == [
        f"line {number}" for number in (1234, 1235, 1236)
    ]
    address = page.driver.current_url
    assert address.endswith("#L1234-L1236")
    page.open("/")
    page.driver.get(address)
    page.until(lambda: len(page.all(".row.chosen")) == 3)
    page.run("document.querySelector('.lines').scrollTop = 0")
    page.until(lambda: page.run("return document.querySelector('.row').id !== 'L1184'"))


def test_a_group_fills_in(farm: Farm) -> None:
    page = farm.page
    spec = {"source": "apt:hello", "arch": "amd64", "publish": False, "fresh": True}
    needs: dict[str, list[str]] = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    members: list[dict[str, Any]] = [
        {"name": name, "spec": spec | {"name": name}, "needs": wanted}
        for name, wanted in needs.items()
    ]
    group = farm.hand.client.post(
        "/api/v1/groups", json={"name": "fills", "branch": "stable", "members": members}
    ).json()
    tasks = {member["name"]: member["task"] for member in group["members"]}
    page.open(f"/groups/{group['id']}")
    assert _boxes(page) == {"a": "queued", "b": "waiting", "c": "waiting", "d": "waiting"}
    farm.hand.claim(tasks["a"])
    page.until(lambda: _boxes(page)["a"] == "building")
    farm.hand.finish(tasks["a"])
    page.until(
        lambda: _boxes(page) == {"a": "success", "b": "queued", "c": "queued", "d": "waiting"}
    )
    farm.hand.claim(tasks["b"])
    farm.hand.finish(tasks["b"], ok=False, error="it failed")
    page.until(lambda: _boxes(page)["d"] == "skipped")
    assert "failed" in page.text("#members")


def test_a_folder_that_is_dropped_is_built(farm: Farm) -> None:
    page = farm.page
    page.open("/submit")
    page.until(lambda: page.one("#choose-folder").is_displayed())
    page.run(
        _BUNDLE, [["lapstrake.toml", (EXAMPLES / "native/nothing/lapstrake.toml").read_text()]]
    )
    page.until(lambda: "hello-page.tar" in page.text("#chosen"))
    page.one("button.main").click()
    page.until(lambda: "/tasks/" in page.driver.current_url or page.text("#problem"))
    assert "/tasks/" in page.driver.current_url, page.text("#problem")
    assert "nothing" in page.text("h1")


def test_what_is_no_bundle_is_told_where_it_was_chosen(farm: Farm, tmp_path: Path) -> None:
    page = farm.page
    (tmp_path / "wrong.tar").write_bytes(b"not a tar at all")
    page.open("/submit")
    page.one("#bundle").send_keys(str(tmp_path / "wrong.tar"))
    page.one("button.main").click()
    page.until(lambda: page.text("#problem"))
    assert "/submit" in page.driver.current_url
    assert page.one("button.main").is_enabled()
    page.run(_ARCHIVE)
    page.until(lambda: "dropped.zip, 3 bytes" in page.text("#chosen"))
    assert not page.one("#problem").is_displayed()
    page.run("document.querySelector('#submit').dataset.limit = 2")
    page.one("button.main").click()
    assert "too large: at most 2 bytes" in page.text("#problem")
    complaints = page.complaints()  # the browser itself tells of the refused request
    assert all("422" in each for each in complaints), complaints


def test_the_list_of_tasks_is_alive(farm: Farm) -> None:
    page = farm.page
    page.open("/tasks")
    task = farm.submit("newcomer")
    page.until(lambda: "newcomer" in page.text("#tasks"))
    farm.hand.claim(task)
    page.until(lambda: "building" in page.text(f"#task-{task}"))
    farm.hand.finish(task)


def test_the_keyboard_is_enough(farm: Farm) -> None:
    page, task = farm.page, farm.submit("typed")
    page.open(f"/tasks/{task}")
    _press(page, Keys.TAB)
    assert page.run("return document.activeElement.className") == "skip"
    _press(page, Keys.ENTER)
    assert page.run("return document.activeElement.id") == "main"
    _press(page, Keys.TAB)
    for _ in range(20):
        if page.run("return document.activeElement.textContent") == "Cancel":
            break
        _press(page, Keys.TAB)
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    _press(page, Keys.ENTER)
    page.driver.switch_to.alert.accept()
    page.until(lambda: "cancelled" in page.text("#state"))


def test_no_page_is_wider_than_a_phone(farm: Farm) -> None:
    page, task = farm.page, farm.building("n" * 90)
    farm.hand.write(task, "w" * 3000 + "\n")
    farm.hand.sample(task, [_sample(second) for second in range(0, 30, 3)])
    name = "long-" * 20 + ".deb"
    farm.hand.finish(task, files={name: b"x"}, version="1:2.3.4~rc5+really-long-version-1")
    page.resize(360, dark=True)
    for path in (
        *PAGES,
        f"/tasks/{task}",
        "/groups/1",
        "/workers/hand",
        "/tasks/999999",
        "/nowhere",
    ):
        page.open(path)
        wide, shown = page.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= shown, path
        if path in {"/tasks/999999", "/nowhere"}:
            assert "There is no such thing" in page.text("h1")
            assert "404" in page.complaints()[0]


def test_a_private_farm_is_watched_with_a_session(farm: Farm) -> None:
    """The last one here: from now on the server wants tokens of everybody."""
    page = farm.page
    page.open("/tokens")
    admin = _make_token(page, "root", "admin")
    page.open("/tasks")
    assert "/login?next=" in page.driver.current_url
    page.one("#token").send_keys(admin, Keys.ENTER)
    page.until(lambda: page.driver.current_url.endswith("/tasks"))
    assert "Signed in as root" in page.text("footer")
    page.open("/tokens")
    hand = HandWorker(client=farm.server.client(_make_token(page, "elm", "worker")), name="elm")
    with farm.server.client(admin) as client, hand.client:
        spec = {"name": "private", "source": "apt:hello", "branch": "stable", "fresh": True}
        task = client.post("/api/v1/tasks", json={"spec": spec | {"arch": "amd64"}}).json()["id"]
        hand.register()
        hand.claim(task)
        page.open(f"/tasks/{task}")
        page.until(lambda: "Following" in page.text(".follow"))
        hand.write(task, "for those who may see it\n")
        page.until(lambda: "for those who may see it" in page.text(".lines"))
        hand.finish(task, ok=False, error="it failed")
    page.until(lambda: "failed" in page.text("#state"))
    next(each for each in page.all("footer button") if each.text == "Sign out").click()
    page.until(lambda: "/login" in page.driver.current_url)


def _make_token(page: Browser, name: str, scope: str) -> str:
    """By the form; gives the secret."""
    page.one("#name").send_keys(name)
    page.one(f"#scope option[value={scope}]").click()
    page.one("form.form button.main").click()
    page.until(lambda: page.text("#made-title"))
    secret = page.text(".command").strip()
    assert secret.startswith("lst_")
    return secret


def _sample(second: float) -> dict[str, float]:
    return {"seconds": second, "cpu_seconds": second / 2, "memory": 50 << 20, "processes": 3}


def _boxes(page: Browser) -> dict[str, str]:
    """The states of the boxes of a group's picture."""
    labels: list[str] = page.run(
        "return [...document.querySelectorAll('.graph a')].map((a) => a.getAttribute('aria-label'))"
    )
    return dict(label.split(": ") for label in labels)


def _in_view(page: Browser, id: str) -> bool:
    time.sleep(0.1)  # scrolling is told to scripts a frame later
    return bool(
        page.run(
            "const row = document.getElementById(arguments[0]).getBoundingClientRect();"
            "const box = document.querySelector('.lines').getBoundingClientRect();"
            "return row.top >= box.top && row.bottom <= box.bottom",
            id,
        )
    )


def _press(page: Browser, key: str) -> None:
    ActionChains(page.driver).send_keys(key).perform()
