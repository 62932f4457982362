"""Native bundles through the program: examples, network, secrets, limits, results, exit codes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from own_address import need_uplink, own_address
from shop import EXAMPLES, Shop, content, control, file_of

NATIVE = EXAMPLES / "native"
SECRET = "correct horse battery staple"


def test_greeting(each_shop: Shop) -> None:
    branch = each_shop.branch()
    example = each_shop.work_dir / "greeting"
    if not example.exists():
        os.system(f"cp -r {NATIVE / 'greeting'} {example}")
    record = each_shop.build(example, branch)
    assert (record["state"], record["exit_code"], record["step"]) == ("succeeded", 0, "")
    deb = each_shop.output(branch) / "greeting_1.0-1_all.deb"
    fields = control(deb)
    assert fields["Depends"] == "dash | bash"
    assert content(deb)["/usr/bin/greeting"] == "-rwxr-xr-x root/root"
    assert file_of(deb, "/usr/bin/greeting") == (NATIVE / "greeting/greeting.sh").read_bytes()
    assert record["outputs"][0]["published"].startswith("added")


def test_several_outputs_and_results(shop: Shop, branch: str) -> None:
    record = shop.build(NATIVE / "counter", branch)
    output = shop.output(branch)
    assert control(output / "libcounter-dev_0.3-2_amd64.deb")["Depends"] == "libcounter0 (= 0.3-2)"
    assert "libc6" in control(output / "counter_0.3-2_amd64.deb")["Depends"]
    assert "/usr/bin/count" in content(output / "counter_0.3-2_amd64.deb")
    kept = shop.records() / record["id"] / "output"
    assert [file.name for file in kept.iterdir()] == ["counter.h"]
    assert not (output / "counter.h").exists()
    assert {row["name"] for row in record["outputs"] if not row["published"]} == {"counter.h"}


def test_from_an_archive_and_from_the_python_index(shop: Shop, branch: str) -> None:
    record = shop.build(NATIVE / "hello", branch)
    assert record["inputs"]["sources"].keys() == {"2.10.bin"}
    assert "/usr/bin/hello" in content(shop.output(branch) / "lapstrake-hello_2.10-1_amd64.deb")
    shop.build(NATIVE / "six", branch)
    deb = shop.output(branch) / "python3-lapstrake-six_1.16.0-1_all.deb"
    assert "/usr/lib/python3/dist-packages/six.py" in content(deb)


def test_no_package_wanted_and_none_made(shop: Shop, branch: str) -> None:
    record = shop.build(NATIVE / "nothing", branch)
    assert record["outputs"] == []
    assert not shop.output(branch).exists()


class _Door(BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"come in\n")


@pytest.fixture
def door() -> Iterator[int]:
    """A server on all of the host's addresses; gives its port."""
    with ThreadingTCPServer(("", 0), _Door) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_network_is_off_unless_asked_for(each_shop: Shop, door: int) -> None:
    branch = each_shop.branch()
    need_uplink(1 if each_shop.user else 0)
    address = own_address()
    steps = {"build": f"exec 3<>/dev/tcp/{address}/{door}; head -n 1 <&3"}
    plain = each_shop.bundle("offline", steps=steps)
    failed = each_shop.build_fails(14, plain, branch)
    assert "Network is unreachable" in failed["stderr"]
    record = each_shop.build(plain, branch, "--network")
    assert "come in" in each_shop.log(record)
    asking = each_shop.bundle("online", steps=steps, extra="[needs]\nnetwork = true")
    assert "come in" in each_shop.log(each_shop.build(asking, branch))


def test_the_hosts_loopback_is_reached_only_where_it_was_configured(
    each_shop: Shop, door: int
) -> None:
    need_uplink(1 if each_shop.user else 0)
    branch = each_shop.branch()
    steps = {"build": f"exec 3<>/dev/tcp/127.0.0.1/{door}; head -n 1 <&3"}
    bundle = each_shop.bundle("nosy", steps=steps, extra="[needs]\nnetwork = true")
    assert "Connection refused" in each_shop.build_fails(14, bundle, branch)["stderr"]
    given = {"LAPSTRAKE_RUNNER_HOST_NETWORK": "true"}
    assert "come in" in each_shop.log(each_shop.build(bundle, branch, **given))


def test_no_name_is_resolved_without_network(shop: Shop, branch: str) -> None:
    lines = '! getent hosts deb.example.org\n[ "$(ls /sys/class/net 2>/dev/null || echo lo)" = lo ]'
    shop.build(shop.bundle("deaf", steps={"build": lines}), branch)


def test_secrets(each_shop: Shop) -> None:
    branch = each_shop.branch()
    read = (
        '[ "$(stat -c %a /run/secrets/TOKEN)" = 400 ]\n'
        'cat /run/secrets/TOKEN; echo\nprintf "%s" "$(head -c 9 /run/secrets/TOKEN)"; sleep 0.3\n'
        "tail -c +10 /run/secrets/TOKEN; echo\n"
        'wc -c < /run/secrets/TOKEN > "$SRCDIR/length"; ! env | grep -q horse'
    )
    bundle = each_shop.bundle(
        "secretive",
        steps={"build": read},
        install='install -D -m 644 length "$DESTDIR/usr/share/secretive/length"',
        extra='[needs]\nsecrets = ["TOKEN"]',
    )
    given = each_shop.work_dir / "conf-secret"
    if not given.exists():
        os.system(f"cp -r {each_shop.work_dir / 'conf'} {given}")
        with (given / "config.toml").open("a") as file:
            file.write('\n[secrets]\nTOKEN = { env = "THE_TOKEN" }\n')
    lists = each_shop.work_dir / "conf/source_lists"
    for name in (f"{branch}.sources",):
        (given / "source_lists" / name).write_bytes((lists / name).read_bytes())
    record = each_shop.build(bundle, branch, THE_TOKEN=SECRET, LAPSTRAKE_CONFIG=str(given))
    log = each_shop.log(record)
    assert log.count("***") == 2
    assert SECRET not in json.dumps(record)
    deb = each_shop.output(branch) / "secretive_1-1_all.deb"
    assert file_of(deb, "/usr/share/secretive/length").strip() == str(len(SECRET)).encode()
    for folder in (each_shop.records() / record["id"], each_shop.output(branch)):
        for kept in folder.rglob("*"):
            assert not kept.is_file() or SECRET.encode() not in kept.read_bytes()


def test_secrets_must_be_given_by_the_configuration(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("curious", extra='[needs]\nsecrets = ["TOKEN"]')
    failed = shop.build_fails(3, bundle, branch, TOKEN="hidden")
    assert "TOKEN" in failed["error"]
    assert "[secrets]" in failed["stderr"]


@pytest.mark.parametrize(
    ("limit", "step", "told"),
    [
        ({"limits__time": "1s"}, "sleep 60", "timed out (limit 1 s)"),
        (
            {"limits__memory": "60MiB"},
            "head -c 300M /dev/zero | tail",
            "out of memory (limit 60 MiB)",
        ),
        (
            {"limits__disk": "30MiB"},
            "head -c 300M /dev/zero > big; sleep 20",
            "out of disk (limit 30 MiB)",
        ),
        (
            {"limits__processes": "30"},
            "dash -c 'for i in $(seq 100); do sleep 20 & done; wait'",
            "(limit 30)",
        ),
    ],
    ids=["time", "memory", "disk", "processes"],
)
def test_limits(shop: Shop, branch: str, limit: dict[str, str], step: str, told: str) -> None:
    bundle = shop.bundle("greedy", steps={"build": step})
    failed = shop.using(**limit).build_fails(19, bundle, branch)
    assert told in failed["error"]
    assert failed["step"] == "build"


def test_the_lower_limit_holds(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("slow", steps={"build": "sleep 60"}, extra='[needs]\ntime = "1s"')
    assert "limit 1 s" in shop.using(limits__time="1h").build_fails(19, bundle, branch)["error"]


@pytest.mark.parametrize(
    ("step", "code"),
    [("prepare", 12), ("configure", 13), ("build", 14), ("check", 16), ("install", 15)],
)
def test_exit_code_of_each_step(shop: Shop, branch: str, step: str, code: int) -> None:
    if step == "install":
        bundle = shop.bundle("broken", install="echo before\nfalse\necho after")
    else:
        bundle = shop.bundle("broken", steps={step: "echo before\nfalse\necho after"})
    failed = shop.build_fails(code, bundle, branch)
    assert failed["state"] == "failed"
    assert failed["exit_code"] == code
    assert failed["step"] == ("qa" if step == "check" else step)
    log = shop.log(failed)
    assert "before" in log
    assert "after" not in log.partition("before")[2].partition("# ")[0]


def test_files_that_no_package_takes(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("leaky", extra='[[output]]\nfiles = ["usr/bin"]')
    assert shop.build_fails(17, bundle, branch)["step"] == "pack"


def test_a_second_build_replaces_the_first(shop: Shop, branch: str) -> None:
    one = shop.bundle("twice", install='install -D /dev/null "$DESTDIR/usr/share/twice/one"')
    two = shop.bundle("twice", install='install -D /dev/null "$DESTDIR/usr/share/twice/two"')
    assert shop.build(one, branch)["outputs"][0]["published"].startswith("added")
    assert shop.build(one, branch)["outputs"][0]["published"].startswith("kept")
    assert shop.build(two, branch)["outputs"][0]["published"].startswith("replaced")
    deb = shop.output(branch) / "twice_1-1_all.deb"
    assert "/usr/share/twice/two" in content(deb)
    assert "/usr/share/twice/one" not in content(deb)


def test_wrong_bundle(shop: Shop, branch: str, tmp_path: Path) -> None:
    bundle = shop.bundle("wrong", extra="[nonsense]")
    failed = shop.fails(6, "build", str(bundle), branch)
    assert "lapstrake.toml:" in failed.stderr
    assert "nonsense" in failed.stderr
