"""The toolbox's functions, one by one, in the bash of this host."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.errors import LapstrakeError
from lapstrake.host.process import Completed, find_program, run

TOOLBOX = Path(__file__).parents[2] / "src/lapstrake/toolbox/aosc"
_PARTS = "messages steps machines definitions defaults flags patches scripts relations content qa"


def bash(
    script: str, folder: Path, *, allowed: tuple[int, ...] = (0,), **variables: str
) -> Completed:
    """Run a script with the toolbox's parts loaded, and `folder` as buildroot and sources."""
    head = f"""
        set -eE; shopt -s extglob globstar nullglob
        SRCDIR=$LAPSTRAKE_BUILDROOT PKGDIR=$SRCDIR/abdist ABTYPE=self
        for part in {_PARTS}; do . "$LAPSTRAKE_TOOLBOX/$part.sh"; done
        name_machine
        cd "$SRCDIR"
    """
    env = {
        "LAPSTRAKE_BUILDROOT": str(folder),
        "LAPSTRAKE_TOOLBOX": str(TOOLBOX),
        "LAPSTRAKE_ARCH": "amd64",
        "LAPSTRAKE_JOBS": "2",
        "SOURCE_DATE_EPOCH": "0",
        **variables,
    }
    (folder / "step").write_text("prepare\n")
    return run(
        ["bash", "-c", head + script],
        timeout=60,
        error=LapstrakeError,
        env=env,
        allowed=allowed,
    )


def put(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    "value, status",
    [
        *((word, 0) for word in ("1", "yes", "y", "t", "true", "TRUE")),
        *((word, 1) for word in ("0", "no", "n", "f", "false", "")),
        ("maybe", 2),
    ],
)
def test_booleans_have_three_answers(tmp_path: Path, value: str, status: int) -> None:
    assert bash(f"bool '{value}' || exit $?", tmp_path, allowed=(status,)).status == status


@pytest.mark.parametrize(
    "debian, aosc, retro",
    [("amd64", "amd64", "no"), ("armhf", "armv7hf", "yes"), ("loong64", "loongarch64", "no")],
)
def test_machines_have_aosc_names_and_groups(
    tmp_path: Path, debian: str, aosc: str, retro: str
) -> None:
    script = 'ab_match_archgroup retro && r=yes || r=no; echo "$ARCH $r $DPKG_ARCH"'
    assert bash(script, tmp_path, LAPSTRAKE_ARCH=debian).text.split()[:2] == [aosc, retro]


@pytest.mark.parametrize(
    "variables, excluded",
    [
        ("FAIL_ARCH='!(amd64|arm64)'", False),
        ("FAIL_ARCH='!(arm64)'", True),
        ("FAIL_ARCH=amd", False),  # in full, not from the left
        ("FAIL_ARCH='@(amd64|arm64)'", True),
        ("ALLOW_ARCH=amd64", False),
        ("ALLOW_ARCH='!(amd64)'", True),
        ("ALLOW_ARCH=amd64 FAIL_ARCH=arm64", True),
    ],
)
def test_machines_are_excluded_by_patterns(tmp_path: Path, variables: str, excluded: bool) -> None:
    done = bash(f"PKGNAME=x {variables}; check_machine", tmp_path, allowed=(0, 1))
    assert done.status == excluded, done.stderr


def test_suffixed_variables_replace_plain_ones(tmp_path: Path) -> None:
    defines = """
        PKGNAME=x
        PKGDEP=plain PKGDEP__AMD64=machine PKGDEP__MAINLINE=group
        BUILDDEP=plain BUILDDEP__64BIT=
        CMAKE_AFTER=plain CMAKE_AFTER__RETRO=other
        AUTOTOOLS_AFTER__AMD64=(a "b c")
    """
    put(tmp_path, {"autobuild/defines": defines})
    script = """load_defines
        printf '%s|' "$PKGDEP" "$BUILDDEP" "$CMAKE_AFTER" "${AUTOTOOLS_AFTER[@]}"; """
    assert bash(script, tmp_path).text == "machine||plain|a|b c|"


def test_two_groups_that_hold_are_an_error(tmp_path: Path) -> None:
    put(tmp_path, {"autobuild/defines": "PKGDEP__MAINLINE=a\nPKGDEP__64BIT=b\n"})
    done = bash("load_defines", tmp_path, allowed=(1,))
    assert b"PKGDEP__AMD64" in done.stderr


@pytest.mark.parametrize(
    "files, stage2, found",
    [
        (("prepare", "amd64/prepare", "mainline/prepare"), "", "amd64/prepare"),
        (("prepare", "mainline/prepare"), "", "mainline/prepare"),
        (("prepare", "retro/prepare", "prepare.stage2"), "", "prepare"),
        (("prepare", "prepare.stage2"), "yes", "prepare.stage2"),
        (("prepare",), "yes", "prepare"),
        (("retro/prepare",), "", "none"),
    ],
)
def test_variants_of_files(tmp_path: Path, files: tuple[str, ...], stage2: str, found: str) -> None:
    put(tmp_path, {f"autobuild/{name}": "" for name in files})
    script = 'find_variant prepare || REPLY=none; echo "${REPLY#"$SRCDIR/autobuild/"}"'
    assert bash(script, tmp_path, ABSTAGE2=stage2).text.strip() == found


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("VER=1.0", "1.0|0|"),
        ("VER=1.0\nREL=2\n__COMMIT=abc", "1.0|2|abc"),
        ("UPSTREAM=1.5-rc1\nVER=${UPSTREAM/-/~}", "1.5~rc1|0|"),  # bash would say /root
    ],
)
def test_spec_gives_version_and_private_names(tmp_path: Path, spec: str, expected: str) -> None:
    put(tmp_path, {"bundle/spec": spec})
    script = """load_spec; bash -c 'printf "%s|%s|%s" "$PKGVER" "$PKGREL" "$__COMMIT"'"""
    assert bash(script, tmp_path).text == expected


def test_spec_without_version_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, {"bundle/spec": "REL=1"})
    assert b"E101" in bash("load_spec", tmp_path, allowed=(1,)).stderr


@pytest.mark.parametrize(
    "item, relation",
    [
        ("surely-not-installed", "surely-not-installed"),
        ("dpkg_", "dpkg"),
        ("dpkg>=1.0", "dpkg (>= 1.0)"),
        ("dpkg<=9:1", "dpkg (<= 9:1)"),
        ("dpkg==1.0-1", "dpkg (= 1.0-1)"),
        ("dpkg<<2", "dpkg (<< 2)"),
        ("renamed", "new-name"),
        ("renamed>=1", "new-name (>= 1)"),
        ("split", "one-surely, two-surely"),
        ("either", "one-surely | two-surely"),
        ("newer>=9", "surely-not (>= 2)"),
        ("dropped", ""),
        ("self", ""),
        ("@directive", ""),
    ],
)
def test_relations_in_debian_words(tmp_path: Path, item: str, relation: str) -> None:
    names = """renamed=new-name
split=one-surely, two-surely
either=one-surely | two-surely
newer=surely-not (>= 2)
dropped="""
    script = f"PKGNAME=self; PKGDEP='{item}'; relation_field Depends PKGDEP"
    expected = f"Depends: {relation}\n" if relation else ""
    assert bash(script, tmp_path, LAPSTRAKE_DEPENDENCY_NAMES=names).text == expected


def test_dependencies_get_the_version_they_were_built_with(tmp_path: Path) -> None:
    script = "PKGNAME=self PKGDEP='dpkg nowhere'; relation_field Depends PKGDEP"
    version = run(
        ["dpkg-query", "-W", "-f", "${Version}", "dpkg"], timeout=60, error=LapstrakeError
    ).text
    assert bash(script, tmp_path).text == f"Depends: dpkg (>= {version}), nowhere\n"
    assert bash("VER_NONE=1; " + script, tmp_path).text == "Depends: dpkg, nowhere\n"


def test_only_dependencies_are_renamed_and_versioned(tmp_path: Path) -> None:
    script = "PKGNAME=self PKGCONFL='dpkg renamed self'; relation_field Conflicts PKGCONFL"
    done = bash(script, tmp_path, LAPSTRAKE_DEPENDENCY_NAMES="renamed=new-name")
    assert done.text == "Conflicts: dpkg, renamed, self\n"


@pytest.mark.parametrize("item", ["a b>=", "ä", "a|b", "_x", "a>"])
def test_what_is_no_relation_is_an_error(tmp_path: Path, item: str) -> None:
    script = f"PKGNAME=self; PKGDEP='{item}'; relation_field Depends PKGDEP"
    assert b"is no relation" in bash(script, tmp_path, allowed=(1,)).stderr


_WORD = st.text(st.sampled_from("abc*?[]$'\"\\-=/"), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None)
@given(words=st.lists(_WORD, max_size=5))
def test_strings_split_at_blanks_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    """No globbing, no quote removal: what stands between blanks is a word."""
    folder = tmp_path_factory.mktemp("words")
    put(folder, {"a": "", "abc": ""})
    script = 'words WORDS; ((${#REPLY_LIST[@]} == 0)) || printf "%s\\0" "${REPLY_LIST[@]}"'
    done = bash(script, folder, WORDS="\n ".join(words))
    assert done.text.split("\0")[:-1] == words


_DIFF = """--- a/file
+++ b/file
@@ -1,3 +1,3 @@
 one
-{old}
+{new}
 {context}
"""


def test_patches_apply_once_and_this_machines_last(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "file": "one\ntwo\nthree\n",
            "autobuild/patches/2.patch": _DIFF.format(old="two", new="deux", context="three"),
            "autobuild/patches/1.patch.amd64": _DIFF.format(
                old="deux", new="zwei", context="three"
            ),
            "autobuild/patches/3.patch.arm64": "not a patch, and not for this machine",
        },
    )
    bash("patch_sources; patch_sources", tmp_path)
    assert (tmp_path / "file").read_text() == "one\nzwei\nthree\n"


def test_series_says_which_patches(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "file": "one\ntwo\nthree\n",
            "autobuild/patches/series": "# first\n\nb.diff\n",
            "autobuild/patches/b.diff": _DIFF.format(old="two", new="zwei", context="three"),
            "autobuild/patches/a.patch": "broken",
        },
    )
    bash("patch_sources", tmp_path)
    assert (tmp_path / "file").read_text() == "one\nzwei\nthree\n"


def test_reverse_patches_take_changes_out(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "file": "one\nnew\nthree\n",
            "autobuild/patches/x.rpatch": _DIFF.format(old="two", new="new", context="three"),
        },
    )
    bash("patch_sources", tmp_path)
    assert (tmp_path / "file").read_text() == "one\ntwo\nthree\n"


def test_fuzz_needs_the_bundles_consent(tmp_path: Path) -> None:
    files = {
        "file": "one\ntwo\nTHREE\n",
        "autobuild/patches/x.patch": _DIFF.format(old="two", new="deux", context="three"),
    }
    put(tmp_path, files)
    refused = bash("patch_sources", tmp_path, allowed=(1,))
    assert b"x.patch does not apply" in refused.stderr
    put(tmp_path, files)
    bash("ABPATCHLAX=1; patch_sources", tmp_path)
    assert (tmp_path / "file").read_text() == "one\ndeux\nTHREE\n"


def test_maintainer_scripts_get_what_the_lists_say(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "autobuild/alternatives": "alternative /usr/bin/vi '/usr/bin/my vi' 10\n",
            "autobuild/usergroup": "group g 300\nuser u 300 g /none 'A user' /bin/sh wheel tty\n",
            "autobuild/postinst": "#!/bin/sh -e\necho own\n",
            "autobuild/postrm": "echo gone",
            "autobuild/triggers": "interest /usr/share/x\n",
            "out/.keep": "",
        },
    )
    bash('write_maintainer_scripts "$PWD/out"', tmp_path)
    out = tmp_path / "out"
    assert (out / "postinst").read_text().splitlines() == [
        "#!/bin/sh -e",
        "update-alternatives --quiet --install /usr/bin/vi vi /usr/bin/my\\ vi 10 ",
        "getent group g >/dev/null || groupadd --system --gid 300 g ",
        "getent passwd u >/dev/null || useradd --system --uid 300 --gid g --home-dir /none "
        "--comment A\\ user --shell /bin/sh --groups wheel\\,tty u ",
        "echo own",
    ]
    assert "--remove vi /usr/bin/my\\ vi" in (out / "prerm").read_text()
    assert (out / "postrm").read_text() == "#!/bin/bash\necho gone"
    assert (out / "triggers").read_text() == "interest /usr/share/x\n"
    assert not (out / "preinst").exists()
    assert all((out / name).stat().st_mode & 0o777 == 0o755 for name in ("postinst", "prerm"))


def test_scripts_of_other_languages_stay_whole_or_fail(tmp_path: Path) -> None:
    put(tmp_path, {"autobuild/postinst": "#!/usr/bin/perl\nprint 1;\n", "out/.keep": ""})
    bash('write_maintainer_scripts "$PWD/out"', tmp_path)
    assert (tmp_path / "out/postinst").read_text() == "#!/usr/bin/perl\nprint 1;\n"
    put(tmp_path, {"autobuild/alternatives": "alternative /a /b 1\n"})
    done = bash('write_maintainer_scripts "$PWD/out"', tmp_path, allowed=(1,))
    assert b"no shell script" in done.stderr


def test_conffiles_are_generated_or_checked(tmp_path: Path) -> None:
    put(tmp_path, {"abdist/etc/b/c": "", "abdist/etc/a": "", "out/.keep": ""})
    bash('write_conffiles "$PWD/out"', tmp_path)
    assert (tmp_path / "out/conffiles").read_text() == "/etc/a\n/etc/b/c\n"
    put(tmp_path, {"autobuild/conffiles": "/etc/a\n/etc/missing\n"})
    done = bash('write_conffiles "$PWD/out"', tmp_path)
    assert (tmp_path / "out/conffiles").read_text() == "/etc/a\n"
    assert b"/etc/missing is no file" in done.stderr
    assert b"/etc/b/c is not listed" in done.stderr


def test_overrides_of_this_machine_win(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "abdist/usr/a": "built",
            "autobuild/overrides/usr/a": "all",
            "autobuild/mainline/overrides/usr/a": "group",
            "autobuild/amd64/overrides/usr/a": "machine",
            "autobuild/retro/overrides/usr/b": "other",
        },
    )
    bash("copy_overrides", tmp_path)
    assert (tmp_path / "abdist/usr/a").read_text() == "machine"
    assert not (tmp_path / "abdist/usr/b").exists()


_GOOD = "PKGNAME=x PKGVER=1 PKGSEC=utils PKGDES=Thing"


@pytest.mark.parametrize(
    "script, code",
    [
        (_GOOD, ""),
        (f"{_GOOD} PKGSEC=non-free/utils", ""),
        (f"{_GOOD} PKGSEC=nowhere", "E104"),
        (f"{_GOOD} PKGDES=", "E104"),
        (f"{_GOOD} PKGNAME=Upper", "E103"),
        (f"{_GOOD} MTER=nobody", "E311"),
        (f"{_GOOD} ABTYPE=meson; touch autobuild/build", "E105"),
    ],
)
def test_definitions_are_checked(tmp_path: Path, script: str, code: str) -> None:
    (tmp_path / "autobuild").mkdir()
    done = bash(f"{script}; check_definitions", tmp_path, allowed=(1 if code else 0,))
    assert re.findall(r"E\d{3}", done.stderr.decode()) == ([code] if code else [])


@pytest.mark.parametrize(
    "script, finding",
    [
        ("mkdir -p usr/bin; install -m755 /dev/null usr/bin/x", "W322: /usr/bin/x"),
        ("mkdir -p usr/bin; echo >usr/bin/x", "E324: /usr/bin/x"),
        ("mkdir -p usr/lib; echo >usr/lib/libx.so.1", "E324: /usr/lib/libx.so.1"),
        ("mkdir -p usr/lib; echo >usr/lib/x.a; chmod 755 usr/lib/x.a", "E324: /usr/lib/x.a"),
        ("echo >x", "E321: /x"),
        ("mkdir -p usr/share; echo >usr/share/x", "E321: /usr/share/x"),
        ("mkdir -p bin", "E321: /bin"),
        ("mkdir -p usr; ln -s bin usr/sbin", "E321: /usr/sbin"),
        ("mkdir -p usr/local/bin", "E321: /usr/local"),
        ("mkdir -p strange", "E321: /strange"),
        ("mkdir -p usr/strange", "E321: /usr/strange"),
        ("mkdir -p usr/lib/x86_64-linux-gnu/perl5 usr/share/a usr/games etc var/lib opt", ""),
        ("mkdir -p usr/share/a; ln -s a usr/share/b", ""),
    ],
)
def test_content_is_checked(tmp_path: Path, script: str, finding: str) -> None:
    done = bash(
        f'mkdir "$PKGDIR"; cd "$PKGDIR"; {script}; cd ..; check_content',
        tmp_path,
        allowed=(1 if finding.startswith("E") else 0,),
        LAPSTRAKE_QA_BASE="debian",
    )
    found = re.findall(r"[EW]\d{3}: /[^ ,]*", done.stderr.decode())
    assert found == ([finding] if finding else [])


def test_allowed_paths_are_no_findings(tmp_path: Path) -> None:
    script = 'mkdir -p "$PKGDIR"/strange "$PKGDIR"/usr/local; check_content'
    bash(script, tmp_path, LAPSTRAKE_QA_ALLOWED="str* usr/local")


def test_a_failure_names_place_status_and_command(tmp_path: Path) -> None:
    put(tmp_path, {"autobuild/build": "true\nfalse_positive=$(false) || true\n(exit 7)\n"})
    script = 'report_failures "the build"; . autobuild/build; echo unreached'
    done = bash(script, tmp_path, allowed=(7,))
    assert b"autobuild/build:3: status 7 (step prepare)" in done.stderr
    assert done.stderr.count(b"status ") == 1
    assert done.stdout == b""


def test_a_script_that_exits_does_not_succeed(tmp_path: Path) -> None:
    put(tmp_path, {"autobuild/build": "exit 0\n"})
    script = 'report_failures "the build"; . autobuild/build; all_done'
    done = bash(script, tmp_path, allowed=(1,))
    assert b"the build ended early" in done.stderr


def test_scripts_pass_shellcheck() -> None:
    if find_program("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    scripts = [TOOLBOX.parent / "aosc.sh", *sorted(TOOLBOX.rglob("*.sh"))]
    run(["shellcheck", *scripts], timeout=300, error=LapstrakeError)


def test_scripts_name_no_fixed_buildroot() -> None:
    for script in [TOOLBOX.parent / "aosc.sh", *TOOLBOX.rglob("*.sh")]:
        assert "/buildroot" not in script.read_text(), script


def test_every_template_has_its_tools_listed() -> None:
    tools = tomllib.loads((TOOLBOX.parent / "tools.toml").read_text())
    names = re.findall(
        r"^build_([a-z0-9]+)_build\(\)",
        "".join(path.read_text() for path in (TOOLBOX / "templates").glob("*.sh")),
        re.M,
    )
    assert set(names) == set(tools["templates"])
    order = re.search(r'PROBE_ORDER="(.*)"', (TOOLBOX / "probe.sh").read_text())
    assert order is not None
    assert set(names) - {"ruby", "dummy"} == set(order[1].split())


pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or shutil.which("dpkg-query") is None,
    reason="needs bash and dpkg",
)
