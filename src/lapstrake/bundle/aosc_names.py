"""Variables of AOSC's files by name, to notice the ones that are misspelt."""

from __future__ import annotations

from collections.abc import Iterable

from lapstrake.bundle.aosc_arch import SUFFIXES

_SPEC = """
    VER REL SRCS CHKSUMS SUBDIR DUMMYSRC CHKUPDATE ENVREQ UPSTREAM_VER
    SRCTBL CHKSUM GITSRC GITCO GITBRCH SVNSRC SVNCO HGSRC HGCO BZRSRC BZRCO FSLSRC FSLCO
"""
SPEC = frozenset(_SPEC.split())
"""What a spec may set."""

_DEFINES = """
    PKGNAME PKGSEC PKGDES PKGVER PKGREL PKGEPOCH PKGEPOCH_SPIRAL PKGDEP PKGPRDEP PKGRECOM PKGSUG
    PKGCONFL PKGBREAK PKGREP PKGPROV PKGESS BUILDDEP TESTDEP ABHOST ABTYPE ABSHADOW ABSHADOW_CMAKE
    ABSPLITDBG ABSTRIP ABMK ABPATCHLAX ABELFDEP ABTHREADS ABINFOCOMPRESS ABMANCOMPRESS ABAUTOPROV
    FAIL_ARCH ALLOW_ARCH VER_NONE NOLTO RECONF NOPYTHON2 NOPYTHON3 NOSTATIC NOPARALLEL NOLIBTOOL
    NOCARGOAUDIT NONPMAUDIT USECLANG AUTOTOOLS_AFTER AUTOTOOLS_DEF AUTOTOOLS_STRICT CMAKE_AFTER
    CMAKE_DEF MESON_AFTER MESON_DEF MAKE_AFTER MAKE_INSTALL_DEF CARGO_AFTER WAF_AFTER WAF_DEF
    QTPROJ_AFTER QTPROJ_DEF DUNE_PACKAGES GO_PACKAGES GO_BUILD_AFTER GO_LDFLAGS AB_FLAGS_O3
    AB_FLAGS_OS AB_FLAGS_SPECS AB_FLAGS_PIC AB_FLAGS_PIE AB_FLAGS_TABLES AB_FLAGS_FTF
"""
DEFINES = frozenset(_DEFINES.split())
"""What a defines may set, as far as its name is long enough to be told from others."""

_SHORTEST = 5


def near_misses(names: Iterable[str], known: frozenset[str], *, origin: str) -> tuple[str, ...]:
    """Warn of names that are one slip away from a known one.

    Args:
        names: the variables that a file assigns.
        known: what it may assign, without suffixes.
        origin: the file, for messages.
    """
    warnings: list[str] = []
    for name in sorted(names):
        base, _, suffix = name.partition("__")
        if base in known or len(base) < _SHORTEST - 1 or (suffix and suffix not in SUFFIXES):
            continue
        meant = sorted(
            word for word in known if len(word) >= _SHORTEST and _is_one_slip(base.upper(), word)
        )
        if meant:
            warnings.append(f"{origin}: {name} is not known; is {' or '.join(meant)} meant?")
    return tuple(warnings)


def _is_one_slip(left: str, right: str) -> bool:
    """Whether the words are equal, or differ by one letter (more, less, other) or one swap."""
    if abs(len(left) - len(right)) > 1:
        return False
    same = 0
    while same < min(len(left), len(right)) and left[same] == right[same]:
        same += 1
    rest_left, rest_right = left[same:], right[same:]
    return (
        rest_left[1:] == rest_right[1:]
        or rest_left[1:] == rest_right
        or rest_left == rest_right[1:]
        or (rest_left[1::-1] == rest_right[:2] and rest_left[2:] == rest_right[2:])
    )
