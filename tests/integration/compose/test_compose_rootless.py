"""A user without rights composes roots, too: the same layers, with ids of the user's own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from shop import Shop

_CONTROL = """Package: yardowned
Version: 1
Architecture: all
Maintainer: A <a@example.org>
Description: a test
"""


def make_owned_deb(folder: Path, target: Path) -> None:
    """A package with owners and modes that only root can give."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(_CONTROL)
    (tree / "var/lib/yardowned").mkdir(parents=True)
    (tree / "bin").mkdir()
    (tree / "bin/yardowned").write_text("#!/bin/sh\necho hello\n")
    shutil.chown(tree / "var/lib/yardowned", "daemon", "mail")
    (tree / "var/lib/yardowned").chmod(0o2750)
    (tree / "bin/yardowned").chmod(0o4755)
    command = ["dpkg-deb", "-z1", "--build", str(tree), str(target)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def test_a_build_of_a_user_over_packages(
    rootless_work_dir: tuple[str, Path], tmp_path: Path
) -> None:
    user, work_dir = rootless_work_dir
    shop = Shop(work_dir=work_dir, user=user)
    branch = shop.branch()
    shop.build(shop.bundle("yardlower"), branch)
    make_owned_deb(tmp_path, shop.output(branch) / "yardowned_1_all.deb")
    shop.build(shop.bundle("yardmiddle"), branch)  # takes up what was put there by hand
    above = shop.bundle(
        "yardupper",
        install="stat -c '%n %a %U %G' /usr/bin/yardowned /var/lib/yardowned\nyardowned\n"
        'mkdir -p "$DESTDIR/usr/share/yardupper"',
        extra='[depends]\nbuild = ["yardowned"]',
    )
    record = shop.build(above, branch)
    assert (
        "/usr/bin/yardowned 4755 root root\n/var/lib/yardowned 2750 daemon mail\nhello\n"
        in shop.log(record)
    )
    assert "1 packages, composed now" in str(record)
