"""Push a file as an artifact of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from lapstrake.oci import upload
from lapstrake.oci.client import RegistryClient
from lapstrake.oci.descriptors import OCI_MANIFEST, Descriptor
from lapstrake.oci.file_artifact import EMPTY, EMPTY_CONFIG, FileArtifact, write_manifest

_PIECE = 1 << 20


def push_file(
    client: RegistryClient,
    artifact: FileArtifact,
    file: Path,
    *,
    tag: str,
    on_bytes: Callable[[int, int], None],
) -> None:
    """Push a file, and last of all the manifest with its tag.

    Args:
        client: the repository, connected.
        artifact: what the manifest says; its digest is that of the file.
        file: the file.
        tag: the tag; it stands for something else from now on, if it is there.
        on_bytes: told now and then how many bytes were sent, of how many.

    Raises:
        RegistryError: the registry refuses; it compares the digest, too.
        OSError: the file cannot be read.
    """

    def read(start: int) -> Iterator[bytes]:
        with file.open("rb") as stream:
            stream.seek(start)
            while piece := stream.read(_PIECE):
                yield piece

    _push_blob(client, EMPTY_CONFIG, lambda start: iter((EMPTY[start:],)), on_bytes)
    _push_blob(client, artifact.file, read, on_bytes)
    client.call(
        "PUT",
        f"manifests/{tag}",
        doing=f"pushing the manifest {tag}",
        allowed=(200, 201, 202),
        body=write_manifest(artifact),
        headers={"Content-Type": OCI_MANIFEST},
    )


def _push_blob(
    client: RegistryClient,
    blob: Descriptor,
    read: upload.Read,
    on_bytes: Callable[[int, int], None],
) -> None:
    if upload.has_blob(client, blob):
        return
    session = upload.begin(client, blob)
    if session is not None:
        upload.send_blob(
            client, blob, session, read=read, on_sent=lambda sent: on_bytes(sent, blob.size)
        )
