"""What ``use = "..."`` in a bundle's ``[steps]`` stands for: default commands, as shell text.

The commands see ``DESTDIR``, ``JOBS``, ``MULTIARCH`` and the other variables of the native
driver, and ``CROSS_COMPILE`` if they compile for another machine than the one they run on.
``@OPTIONS@`` becomes the bundle's options.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OPTIONS = "@OPTIONS@"
"""Where a configure command takes the bundle's options."""

_FLAGS = (
    'if command -v dpkg-buildflags >/dev/null; then eval "$(dpkg-buildflags --export=sh)"; fi\n'
)
_TOOLS = '${CROSS_COMPILE:+CC="$CC" CXX="$CXX" AR="$AR"}'
"""On make's command line, since many makefiles set these themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Default commands.

    Attributes:
        steps: shell text by step; a step that is not there does nothing.
        build_depends: relations that the commands need.
        toolchain: whether ``build-essential`` is installed.
        crosses: whether the commands can compile for another machine.
    """

    steps: Mapping[str, str]
    build_depends: tuple[str, ...] = ()
    toolchain: bool = True
    crosses: bool = True

    @property
    def takes_options(self) -> bool:
        """Whether its configure command takes options."""
        return OPTIONS in self.steps.get("configure", "")


PRESETS: Mapping[str, Preset] = {
    "autotools": Preset(
        steps={
            "configure": _FLAGS
            + "if [ ! -x ./configure ]; then autoreconf -fi; fi\n"
            + "./configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var"
            + ' --libdir="/usr/lib/$MULTIARCH" --mandir=/usr/share/man --infodir=/usr/share/info'
            + f" --disable-dependency-tracking ${{CROSS_COMPILE:+$CONFIGURE_FLAGS}} {OPTIONS}\n",
            "build": 'make -j"$JOBS"\n',
            "check": 'make -j"$JOBS" check\n',
            "install": 'make install DESTDIR="$DESTDIR"\n',
        },
        build_depends=("autoconf", "automake", "libtool", "pkg-config"),
    ),
    "cmake": Preset(
        steps={
            "configure": _FLAGS
            + "cmake -S . -B lapstrake-build -G Ninja -DCMAKE_BUILD_TYPE=None"
            + " -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_SYSCONFDIR=/etc"
            + ' -DCMAKE_INSTALL_LOCALSTATEDIR=/var -DCMAKE_INSTALL_LIBDIR="lib/$MULTIARCH"'
            + f" -DCMAKE_SKIP_INSTALL_RPATH=ON {OPTIONS}\n",
            "build": 'cmake --build lapstrake-build --parallel "$JOBS"\n',
            "check": 'ctest --test-dir lapstrake-build --parallel "$JOBS" --output-on-failure\n',
            "install": 'DESTDIR="$DESTDIR" cmake --install lapstrake-build\n',
        },
        build_depends=("cmake", "ninja-build"),
    ),
    "meson": Preset(
        steps={
            "configure": _FLAGS
            + "meson setup lapstrake-build --prefix=/usr --sysconfdir=/etc --localstatedir=/var"
            + ' --libdir="lib/$MULTIARCH" --buildtype=plain --wrap-mode=nodownload'
            + ' ${CROSS_COMPILE:+--cross-file="$MESON_CROSS_FILE"}'
            + f" {OPTIONS}\n",
            "build": 'meson compile -C lapstrake-build -j "$JOBS"\n',
            "check": 'meson test -C lapstrake-build --num-processes "$JOBS" --print-errorlogs\n',
            "install": 'DESTDIR="$DESTDIR" meson install -C lapstrake-build --no-rebuild\n',
        },
        build_depends=("meson", "ninja-build", "pkg-config"),
    ),
    "make": Preset(
        steps={
            "build": _FLAGS + f'make -j"$JOBS" PREFIX=/usr prefix=/usr {_TOOLS}\n',
            "install": 'make install PREFIX=/usr prefix=/usr DESTDIR="$DESTDIR"\n',
        },
    ),
    "python": Preset(
        steps={
            "build": "python3 -m pip wheel --no-deps --no-build-isolation --no-index"
            " --wheel-dir lapstrake-build .\n",
            "install": "DEB_PYTHON_INSTALL_LAYOUT=deb python3 -m pip install --no-deps --no-index"
            ' --no-compile --no-warn-script-location --root="$DESTDIR" --prefix=/usr'
            " lapstrake-build/*.whl\n"
            # Says where the wheel was built, which is nobody's business.
            """find "$DESTDIR" -path '*.dist-info/direct_url.json' -delete\n""",
        },
        build_depends=("python3", "python3-pip", "python3-setuptools", "python3-wheel"),
        toolchain=False,
        crosses=False,
    ),
}
"""The presets by name."""
