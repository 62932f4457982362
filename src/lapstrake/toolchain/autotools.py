"""A ``config.site``: a plain ``./configure`` knows that it configures for another machine."""

from __future__ import annotations

from lapstrake.toolchain.part import FILES, Known, Part

_NAME = "config.site"
_TEXT = """\
# Read by configure scripts (Autoconf's manual, "Site Defaults").
if test -z "${{host_alias-}}"; then
    host_alias={target}
    test -n "${{build_alias-}}" || build_alias={build}
    host=$host_alias
    build=$build_alias
    ac_tool_prefix=$host_alias-
    cross_compiling=yes
fi
if test "$host_alias" = {target}; then
{cached}fi
"""
_RUN_TESTS = {
    "ac_cv_func_calloc_0_nonnull": "yes",
    "ac_cv_func_chown_works": "yes",
    "ac_cv_func_fork_works": "yes",
    "ac_cv_func_getgroups_works": "yes",
    "ac_cv_func_lstat_dereferences_slashed_symlink": "yes",
    "ac_cv_func_malloc_0_nonnull": "yes",
    "ac_cv_func_memcmp_working": "yes",
    "ac_cv_func_mmap_fixed_mapped": "yes",
    "ac_cv_func_realloc_0_nonnull": "yes",
    "ac_cv_func_setvbuf_reversed": "no",
    "ac_cv_func_stat_empty_string_bug": "no",
    "ac_cv_func_vfork_works": "yes",
    "ac_cv_func_working_mktime": "yes",
    "ac_cv_working_alloca_h": "yes",
}
"""What Autoconf finds out by running a program, as both glibc and musl answer on Linux."""


def autotools(known: Known) -> Part:
    """``CONFIG_SITE``, which a configure script that was told nothing else takes."""
    facts = known.facts
    answers = _RUN_TESTS if facts.target.system == "linux" else {}
    cached = "".join(f"    : ${{{name}={value}}}\n" for name, value in answers.items())
    text = _TEXT.format(
        target=facts.target.text, build=facts.build.text, cached=cached or "    :\n"
    )
    return Part(
        variables={
            "CONFIG_SITE": f"{FILES}/{_NAME}",
            "CONFIGURE_FLAGS": f"--host={facts.target.text} --build={facts.build.text}",
        },
        files={_NAME: text},
    )
