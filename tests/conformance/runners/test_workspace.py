"""Stacks, workspaces, and what goes in and out."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import pytest

from lapstrake.errors import LapstrakeError, RunnerError
from lapstrake.names import GuestPath
from lapstrake.runner.base import Bind, Network
from runner_subjects import BUILDROOT, MakeLayer, Subject, run, said, sh

HOST_ACCOUNTS = Path("/etc/passwd").read_text()


def test_a_workspace_lasts_as_long_as_its_session(subject: Subject) -> None:
    with subject.session() as session:
        said(session, "mkdir -p a/b; echo text > a/b/c; chmod 640 a/b/c; ln -s c a/b/d; rm -f e")
        assert said(session, "cat a/b/d; stat -c %a a/b/c") == "text\n640\n"
        said(session, "rm -r a/b; mkdir a/b")
        assert said(session, "ls a; ls a/b") == "b\n"


def test_sessions_do_not_see_each_other(subject: Subject) -> None:
    with subject.session() as one, subject.session() as other:
        said(one, "echo one > file")
        assert said(other, "ls") == ""
        said(other, "echo other > file")
        assert said(one, "cat file") == "one\n"
    with subject.session() as later:
        assert said(later, "ls") == ""


def test_upper_layers_hide_lower_ones(isolating: Subject, make_layer: MakeLayer) -> None:
    lower = make_layer(
        {"d/kept": "l", "d/changed": "l", "d/gone": "l", "e/hidden": "l", "f": "l", "g/x": "l"}
    )
    upper = make_layer(
        {"d/changed": "u", "d/gone": None, "e/(opaque)": None, "e/new": "u", "f/now": "u", "g": "u"}
    )
    with isolating.session(lower, upper) as session:
        listing = said(session, "cd /; find d e f g | sort; cat d/kept d/changed f/now g")
        assert listing.split() == [
            "d",
            "d/changed",
            "d/kept",
            "e",
            "e/new",
            "f",
            "f/now",
            "g",
            "luuu",
        ]
    with isolating.session(upper, lower) as session:
        assert said(session, "cat /d/changed /d/gone") == "ll"


def test_the_stack_stays_as_it_is(isolating: Subject, make_layer: MakeLayer) -> None:
    layer = make_layer({"file": "old", "gone": "x"})
    with isolating.session(layer) as session:
        said(session, "echo new > /file; rm /gone; mkdir /folder")
    assert (layer / "file").read_text() == "old"
    assert sorted(entry.name for entry in layer.iterdir()) == ["file", "gone"]


def test_two_hundred_layers(isolating: Subject, make_layer: MakeLayer) -> None:
    layers = [make_layer({f"n/{number}": "", "top": str(number)}) for number in range(200)]
    with isolating.session(*layers) as session:
        assert said(session, "ls /n | wc -l; cat /top").split() == ["200", "199"]
        said(session, "rm /n/7; echo x > /n/8")
        assert said(session, "ls /n | wc -l") == "199\n"


def test_a_missing_layer_is_told(subject: Subject) -> None:
    with pytest.raises(RunnerError, match="no-such-layer"):
        with subject.session(subject.folder / "no-such-layer") as session:
            said(session, "true")


def test_capture_makes_a_layer(layering: Subject) -> None:
    with layering.session() as session:
        said(session, "mkdir d; echo 1 > d/one; echo 2 > d/two; echo x > /etc/gone")
        first = layering.folder / "first"
        session.capture(first)
        assert said(session, "ls") == ""  # the workspace is empty again
    with layering.session(first) as session:
        said(session, "rm d/one /etc/gone; echo 3 > d/three; rm -r /var; mkdir /var")
        second = layering.folder / "second"
        session.capture(second)
    with layering.session(first, second) as session:
        assert said(session, "ls d; ls /etc/gone 2>&1; ls /var; cat d/two").split()[:2] == [
            "three",
            "two",
        ]
        assert not sh(session, "test -e /etc/gone")[0].ok


def test_what_depends_on_the_host_is_not_captured(layering: Subject) -> None:
    shown = layering.new_folder()
    shown.chmod(0o755)
    with layering.session() as session:
        said(
            session,
            "test -s /etc/hosts; cat /etc/resolv.conf /f/g /run/s /b/c/* >/dev/null; echo x > mine",
            network=Network.HOST,
            files={GuestPath("/f/g"): b"file"},
            secrets={GuestPath("/run/s"): b"secret"},
            binds=(Bind(source=shown, target=GuestPath("/b/c/d")),),
        ) if (shown / "x").write_text("x") else None
        tree = layering.folder / "captured"
        session.capture(tree)
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))
    assert names == ["buildroot", "buildroot/mine"]


def test_a_runner_without_layers_says_so(subject: Subject) -> None:
    if subject.runner.mounts:
        pytest.skip(f"the runner {subject.name} makes layers")
    with subject.session() as session:
        with pytest.raises(RunnerError) as refused:
            session.capture(subject.folder / "tree")
    assert "userns" in refused.value.resolution


def test_files_and_secrets_are_there_while_the_command_runs(subject: Subject) -> None:
    place = "/buildroot" if subject.name == "local" else "/run"
    files = {BUILDROOT / "in/file": b"content", BUILDROOT / "in/tool": b"#!/bin/sh\necho tool\n"}
    secrets = {GuestPath(f"{place}/secret"): b"hush"}
    with subject.session() as session:
        script = 'cat in/file "$1"; stat -c %a "$1"; in/tool'
        words = (f"{place}/secret",)
        text = said(session, script, *words, files=files, secrets=secrets)
        assert text == "contenthush400\ntool\n"
        later = said(session, 'cat in/file in/tool "$1" 2>/dev/null || true', *words)
        assert "content" not in later
        assert "hush" not in later


def test_binds_are_read_only_unless_said(isolating: Subject) -> None:
    folder = isolating.new_folder("blanks and: colons")
    folder.chmod(0o777)
    (folder / "file").write_text("host")
    target = GuestPath("/mnt/a b:c")
    with isolating.session() as session:
        script = 'cat "$1/file"; echo new > "$1/file"'
        bind = Bind(source=folder, target=target)
        outcome, text = sh(session, script, str(target), binds=(bind,))
        assert text.startswith("host")
        assert not outcome.ok
        assert (folder / "file").read_text() == "host"
        said(
            session, script, str(target), binds=(Bind(source=folder, target=target, writable=True),)
        )
    assert (folder / "file").read_text() == "new\n"


def test_a_file_can_be_bound(isolating: Subject) -> None:
    file = isolating.folder / "one"
    file.write_text("text")
    with isolating.session() as session:
        binds = (Bind(source=file, target=GuestPath("/etc/one")),)
        assert said(session, "cat /etc/one", binds=binds) == "text"


def test_put_copies_a_tree(subject: Subject) -> None:
    tree = subject.new_folder("source")
    (tree / "folder/below").mkdir(parents=True)
    (tree / "folder/tool").write_text("#!/bin/sh\necho tool\n")
    (tree / "folder/tool").chmod(0o6755)
    (tree / "folder/link").symlink_to("tool")
    (tree / "folder/away").symlink_to("/etc/passwd")
    with subject.session() as session:
        said(session, "mkdir already; echo kept > already/kept; echo old > already/name")
        session.put(tree, BUILDROOT / "deep/er")
        (tree / "name").write_text("new")
        session.put(tree / "name", BUILDROOT / "already/name")
        text = said(
            session,
            "cd deep/er/folder; ./link; stat -c '%a %u %g' tool; readlink away; ls -d below",
        )
        owner = "0 0" if subject.name != "local" else f"{os.geteuid()} {os.getegid()}"
        assert text.splitlines() == ["tool", f"755 {owner}", "/etc/passwd", "below"]
        assert said(session, "cat already/kept already/name") == "kept\nnew"


def test_put_writes_through_no_link(subject: Subject) -> None:
    canary = subject.folder / "canary"
    canary.write_text("unharmed")
    canary.chmod(0o666)
    file = subject.folder / "new"
    file.write_text("new")
    with subject.session() as session:
        said(session, 'ln -s "$1" file', str(canary))
        session.put(file, BUILDROOT / "file")
        assert said(session, "cat file; test ! -L file") == "new"
    assert canary.read_text() == "unharmed"


def test_put_then_get_without_a_command(subject: Subject) -> None:
    file = subject.folder / "new"
    file.write_text("new")
    with subject.session() as session:
        session.put(file, BUILDROOT / "file")
        session.get(BUILDROOT / "file", subject.folder / "got")
        assert said(session, "cat file") == "new"
    assert (subject.folder / "got").read_text() == "new"


def test_get_copies_regular_files(subject: Subject) -> None:
    script = """
    mkdir -p out/a/b out/empty; echo one > out/one; printf two > out/a/b/two; chmod 4755 out/one
    ln out/one out/hard; ln -s /etc/passwd out/link; mkfifo out/fifo; ln -s a out/folder
    """
    with subject.session() as session:
        said(session, script)
        session.get(BUILDROOT / "out", subject.folder / "got")
        session.get(BUILDROOT / "out/one", subject.folder / "single")
        session.get(BUILDROOT / "missing", subject.folder / "missing")
    got = subject.folder / "got"
    files = sorted(str(path.relative_to(got)) for path in got.rglob("*") if not path.is_dir())
    assert files == ["a/b/two", "hard", "one"]
    assert (got / "a/b/two").read_text() == "two"
    assert stat.S_IMODE((got / "one").stat().st_mode) == 0o755
    assert (subject.folder / "single").read_text() == "one\n"
    assert not (subject.folder / "missing").exists()


@pytest.mark.parametrize("what", ["ln -s /etc/passwd r", "mkfifo r", "ln -s /etc r; mkdir x"])
def test_a_result_that_is_something_else_is_not_copied(subject: Subject, what: str) -> None:
    target = subject.folder / "got"
    with subject.session() as session:
        said(session, what)
        with contextlib.suppress(LapstrakeError):
            session.get(BUILDROOT / "r", target)
        found = [path for path in (target, *target.rglob("*")) if path.is_file()]
    # podman follows links, inside the container only: what it finds is the root's own.
    assert all(file.read_text() != HOST_ACCOUNTS for file in found)
    assert subject.name == "podman" or not found


def test_a_link_above_a_result_leads_nowhere_on_the_host(subject: Subject) -> None:
    canary = subject.new_folder("canary")
    (canary / "file").write_text("secret of the host")
    with subject.session() as session:
        said(session, 'ln -s "$1" out', str(canary))
        with contextlib.suppress(LapstrakeError):
            session.get(BUILDROOT / "out/file", subject.folder / "got")
    assert not (subject.folder / "got").exists()


def test_a_device_is_not_copied(isolating: Subject) -> None:
    with isolating.session() as session:
        sh(session, "mkdir out; mknod out/device b 8 0; mknod out/null c 1 3; echo x > out/file")
        session.get(BUILDROOT / "out", isolating.folder / "got")
    assert [path.name for path in (isolating.folder / "got").iterdir()] == ["file"]


def test_a_huge_sparse_result_does_not_fill_the_disk(subject: Subject) -> None:
    target = subject.folder / "got"
    with subject.session() as session:
        said(session, "truncate -s 256M sparse && printf end >> sparse")
        with contextlib.suppress(LapstrakeError):  # a stream of it may be refused
            session.get(BUILDROOT / "sparse", target)
    assert not target.exists() or target.stat().st_blocks * 512 < 1 << 20


def test_a_deep_tree_is_refused(subject: Subject) -> None:
    script = "i=0; while [ $i -lt 400 ]; do mkdir d; cd d; i=$((i+1)); done; echo x > f"
    with subject.session() as session:
        said(session, f"mkdir out; cd out; {script}")
        with pytest.raises(LapstrakeError, match="deep"):
            session.get(BUILDROOT / "out", subject.folder / "got")
        said(session, "rm -r out")


def test_strange_names_come_out(subject: Subject) -> None:
    names = ["a b", "new\nline", "-x", "ü", "*", "\\", "a:b"]
    with subject.session() as session:
        said(session, 'mkdir out; cd out; for name in "$@"; do echo x > "./$name"; done', *names)
        session.get(BUILDROOT / "out", subject.folder / "got")
    assert sorted(path.name for path in (subject.folder / "got").iterdir()) == sorted(names)


def test_nothing_is_left_of_a_session(subject: Subject) -> None:
    workspace = subject.new_folder()
    with subject.runner.open((subject.root,), workspace) as session:
        run(session, "sh", "-c", "echo x > file")
    mounts = Path("/proc/self/mountinfo").read_text()
    assert str(workspace) not in mounts
