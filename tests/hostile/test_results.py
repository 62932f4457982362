"""What a build leaves behind for us to read, copy, publish and remove."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lapstrake.errors import CompileError, PackError, PublishError
from trouble import Victim

_OUT = '"$LAPSTRAKE_BUILDROOT/output'
_DEB = """
deb() {  # deb FILE FIELD...: a package with these fields
    mkdir -p /tmp/deb/DEBIAN; shift_file=$1; shift
    printf '%s\\n' "$@" > /tmp/deb/DEBIAN/control
    (cd /tmp/deb/DEBIAN && tar -czf /tmp/control.tar.gz control)
    (cd /tmp/deb && tar -czf /tmp/data.tar.gz --exclude=DEBIAN .)
    echo 2.0 > /tmp/debian-binary
    (cd /tmp && rm -f new.deb && ar=$(command -v ar || true)
     perl -e 'print "!<arch>\\n"; for my $n (qw(debian-binary control.tar.gz data.tar.gz)) {
        open F, "<", $n; local $/; my $d = <F>;
        printf "%-16s%-12s%-6s%-6s%-8s%-10s`\\n", $n, 0, 0, 0, 100644, length $d;
        print $d, length($d) % 2 ? "\\n" : "" }' > new.deb)
    cp /tmp/new.deb "$shift_file"
}
"""


def _nothing_left(victim: Victim) -> None:
    assert victim.half_made() == []
    assert victim.leftovers() == []
    assert victim.repository().verify() == ()


@pytest.mark.parametrize(
    "mischief",
    [
        f'ln -s /etc/shadow {_OUT}/evil.deb"',
        f'mkfifo {_OUT}/pipe.deb"',
        f"perl -MSocket -e 'socket(S,1,1,0); bind(S, sockaddr_un($ARGV[0]))' {_OUT}/s.deb\"",
        f'ln -s / {_OUT}/root"',
        f'mkdir {_OUT}/folder.deb"',
    ],
    ids=["link", "fifo", "socket", "link-to-root", "folder"],
)
def test_what_is_no_regular_file_is_left_out(victim: Victim, mischief: str) -> None:
    done = victim.build(victim.bundle("odd", build=mischief))
    assert done.ok, done.stderr
    record = victim.last_record()
    assert [output["name"] for output in record["outputs"]] == ["odd_1-1_amd64.deb"]
    _nothing_left(victim)


@pytest.mark.parametrize(
    "mischief",
    [
        f'rmdir {_OUT}"; ln -s /etc {_OUT}"',
        f'rmdir {_OUT}"; ln -s "$LAPSTRAKE_BUILDROOT/bundle" {_OUT}"',
        f'cd {_OUT}"; perl -e \'for (1 .. 400) {{ mkdir "d"; chdir "d" }}\'',
    ],
    ids=["link", "link-inside", "too-deep"],
)
def test_an_output_folder_that_is_none(victim: Victim, mischief: str) -> None:
    done = victim.build(victim.bundle("odd", install=mischief))
    assert done.status == PackError.exit_code, done.stderr
    assert "output" in done.stderr
    _nothing_left(victim)


def test_an_output_that_we_may_not_read(victim: Victim) -> None:
    file = f'{_OUT}/locked.txt"'
    done = victim.build(
        victim.bundle("odd", build=f"echo x > {file}; chmod 600 {file}; chown 1000 {file}")
    )
    assert "Traceback" not in done.stderr
    if victim.user is None:
        assert done.ok, done.stderr
    else:
        assert done.status == PackError.exit_code, done.stderr
        assert "output cannot be taken" in done.stderr
    _nothing_left(victim)


@pytest.mark.parametrize("instead", ["mkdir -p {0}/x", "ln -s /etc/passwd {0}", "mkfifo {0}", ":"])
def test_what_a_build_puts_in_the_place_of_our_mark(victim: Victim, instead: str) -> None:
    mark = "/.lapstrake-started"
    done = victim.build(victim.bundle("odd", build=f"rm -f {mark}; {instead.format(mark)}"))
    assert done.ok, done.stderr
    _nothing_left(victim)


def test_names_that_would_speak_to_the_terminal(victim: Victim) -> None:
    name = "\\033]0;owned\\007\\nbell\\a"
    done = victim.build(
        victim.bundle("odd", build=f"touch {_OUT}/$(printf '{name}').txt\" {_OUT}/-rf.txt\"")
    )
    assert done.ok, done.stderr
    assert "\033" not in done.stdout + done.stderr
    _nothing_left(victim)


def test_a_sparse_giant_neither_fills_the_disk_nor_takes_for_ever(victim: Victim) -> None:
    bundle = victim.bundle("odd", build=f'truncate -s 2T {_OUT}/giant.bin"')
    before = os.statvfs(victim.work_dir).f_bfree
    done = victim.build(bundle)
    assert done.status == PackError.exit_code, done.stderr
    assert "giant.bin" in done.stderr
    assert before - os.statvfs(victim.work_dir).f_bfree < 1 << 18
    _nothing_left(victim)


@pytest.mark.parametrize(
    "step",
    [
        "mkfifo {}",
        "ln -s /etc/passwd {}",
        "ln -s ../../../../etc/passwd {}",
        "mkdir {}",
        "truncate -s 2T {}",
        "printf 'install\\0pack\\nqa' > {}",
        "printf '\\377\\376' > {}",
    ],
)
def test_a_step_file_is_believed_only_if_it_names_a_step(victim: Victim, step: str) -> None:
    file = '"$LAPSTRAKE_BUILDROOT/step"'
    done = victim.build(victim.bundle("odd", build=f"rm {file}; {step.format(file)}; exit 1"))
    assert 12 <= done.status <= 17, done.stderr
    assert victim.last_record()["step"] == "prepare"
    _nothing_left(victim)


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("evil.deb", ("Package: ../../../evil", "Version: 1", "Architecture: all")),
        ("evil.deb", ("Package: evil", "Version: ../1", "Architecture: all")),
        ("evil.deb", ("Package: evil", "Version: 1", "Architecture: ../all")),
        ("evil.deb", ("Package: evil",)),
        ("evil.deb", ("no field at all",)),
        ("evil.deb", ("Package: evil\\nFilename: /etc/shadow", "Version: 1", "Architecture: all")),
        ("-o Dir::Etc=x.deb", ("Package: evil", "Version: 1", "Architecture: all")),
        ("$(printf 'a\\nPackage: b').deb", ("Package: c", "Version: 1", "Architecture: all")),
    ],
)  # fmt: skip
def test_packages_that_lie(victim: Victim, file: str, fields: tuple[str, ...]) -> None:
    words = " ".join(f"'{field}'" for field in fields)
    before = victim.repository().packages()
    done = victim.build(
        victim.bundle("odd", build=f'{_DEB}\ndeb {_OUT}/{file}" {words} "Description: x"')
    )
    if done.ok:  # then it is a package as every other
        added = set(victim.repository().packages()) - set(before)
        assert {entry.package for entry in added} <= {"odd", "evil", "c"}
        assert all(entry.location.count("/") in (1, 3) for entry in added)
        assert all((victim.output / entry.location).is_file() for entry in added)
    else:
        assert done.status in {PackError.exit_code, PublishError.exit_code}, done.stderr
        assert "error:" in done.stderr
        assert victim.repository().packages() == before
    assert "Traceback" not in done.stderr
    _nothing_left(victim)


@pytest.mark.parametrize(
    "mess",
    [
        "mkdir -p deep/a/b; echo x > deep/a/b/c; chmod 000 deep/a/b/c deep/a/b deep/a deep",
        'perl -e \'for (1 .. 5000) { mkdir "d" or die $!; chdir "d" or die $! }\'',
        "mkdir many; perl -e 'for (1 .. 20_000) { open F, \">many/$_\" }'",
        "cp /bin/bash suid; chmod 6755 suid; mkdir sticky; chmod 7777 sticky",
        "touch owned; chown 1234:5678 owned; mkdir -m 700 theirs; chown 1234 theirs; "
        "touch theirs/file; mkdir -m 0 theirs/none; chown 4321 theirs/none",
        "touch $(printf 'new\\nline') $(printf 'esc\\033[2J') $(printf '\\377\\376')",
        "touch held; exec 9>held; rm held; (sleep 300 >&9 & )",
        "rm -rf /usr /bin /lib* /etc || :",
    ],
    ids=["locked", "deep", "many", "set-id", "others", "names", "held", "destroyed"],
)
def test_every_mess_is_cleared(victim: Victim, mess: str) -> None:
    done = victim.build(victim.bundle("mess", build=f"mkdir /tmp/mess; cd /tmp/mess; {mess}"))
    assert done.status in {0, CompileError.exit_code, 15, 17}, done.stderr
    assert "Traceback" not in done.stderr
    _nothing_left(victim)


def test_what_root_cannot_remove_at_once_is_removed(victim: Victim, tmp_path: Path) -> None:
    """A workspace with files that may not change (chattr +i), as `local` builds can leave them."""
    if victim.user is not None:
        pytest.skip("only root can make such files")
    build = "mkdir -p held/below; touch held/below/file; chattr +i held/below/file held; exit 1"
    done = victim.build(victim.bundle("held", build=build), settings=("runner.name=local",))
    if "Operation not supported" in done.stderr:
        pytest.skip("this disk knows no immutable files")
    assert done.status == CompileError.exit_code, done.stderr
    _nothing_left(victim)
