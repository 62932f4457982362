"""Send a bundle: a folder is packed the same way each time, so the server often has it already."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lapstrake.errors import BundleError
from lapstrake.farm.client.http import Connection
from lapstrake.farm.client.uploads import upload


def give_bundle(connection: Connection, bundle: Path) -> str:
    """Give the server a bundle's folder, or an archive of one; gives its digest.

    Raises:
        BundleError: there is no such folder or file.
        FarmError: as of `upload`.
    """
    if bundle.is_file() and bundle.suffix != ".dsc":
        return upload(connection, bundle)
    if not bundle.is_dir():
        raise BundleError(
            f"{bundle}: there is no such folder or archive",
            resolution="Name a bundle's folder, an archive of one, or apt:NAME.",
        )
    from lapstrake.farm.contents.pack import pack_bundle

    with tempfile.TemporaryDirectory(prefix="lapstrake-") as folder:
        archive = Path(folder) / "bundle.tar"
        return upload(connection, archive, pack_bundle(bundle, archive))
