"""A command as words, and what a shell makes of them."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lapstrake.host.usage import Limits
from lapstrake.names import GuestPath
from lapstrake.runner.base import Command, Network
from lapstrake.runner.docker_image import grouped
from lapstrake.runner.docker_options import create_options, mount_option, script, variable_names
from lapstrake.runner.docker_owner import is_dead, own_name

NAMES = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1)


@given(name=NAMES)
def test_any_path_can_be_bound(name: str) -> None:
    option = mount_option(Path("/x", name), GuestPath("/y"), False).removeprefix("--mount=")
    (fields,) = csv.reader([option], strict=True) if "\n" not in option else [_fields(option)]
    source = str(Path("/x", name).absolute())
    assert fields == ["type=bind", f"source={source}", "target=/y", "readonly"]


def _fields(option: str) -> list[str]:
    return next(csv.reader(option.splitlines(keepends=True), strict=True))


def test_limits_and_network_become_options() -> None:
    command = Command(
        argv=("true",),
        limits=Limits(memory=1 << 20, processes=7, cpus=0.5),
        network=Network.HOST,
        user=1000,
    )
    options = create_options(command, terminal=False, profile=Path("/p"), shown={})
    assert {"--memory=1048576", "--memory-swap=1048576", "--pids-limit=7", "--cpus=0.5"} <= set(
        options
    )
    assert {"--network=host", "--user=1000:1000", "--cap-drop=ALL"} <= set(options)
    assert not [option for option in options if option.startswith(("--hostname", "--tty"))]


def test_the_shell_joins_outputs_and_passes_on_the_status() -> None:
    argv = ["sh", "-c", script({"GONE"}, terminal=False), "sh", "sh", "-c"]
    done = subprocess.run(
        [*argv, "echo out; echo err >&2; echo [$GONE]; exit 9"],
        env={"GONE": "here", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (9, "out\nerr\n[]\n", "")


def test_only_names_of_variables_reach_the_shell() -> None:
    assert variable_names(["A", "x; rm -rf", "1A", "PATH"]) == {"A", "HOSTNAME", "container"}


@given(count=st.integers(0, 400), most=st.integers(1, 100))
def test_groups_keep_the_stack(count: int, most: int) -> None:
    stack = [Path(str(number)) for number in range(count)]
    groups = grouped(stack, most)
    assert [layer for group in groups for layer in group] == stack
    assert len(groups) <= most
    assert sum(len(group) > 1 for group in groups) <= 1
    assert all(len(group) == 1 for group in groups[: min(2, most - 1)]), "others begin so, too"


def test_our_own_containers_have_a_living_owner() -> None:
    with subprocess.Popen(["sleep", "0"]) as process:
        other = own_name().split("/")
        process.wait()
    assert not is_dead(own_name())
    assert is_dead("/".join([*other[:2], str(process.pid), "1"]))
    assert not is_dead("/".join(["another-boot", *other[1:2], str(process.pid), "1"]))
    assert not is_dead("")
