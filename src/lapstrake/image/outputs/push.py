"""Push an image: its blobs at the same time, then its manifests, the one with the tag last."""

from __future__ import annotations

import contextlib
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from lapstrake.blobs.base import BlobStore
from lapstrake.image.base import Descriptor
from lapstrake.image.outputs import upload
from lapstrake.image.outputs.client import RegistryClient
from lapstrake.image.outputs.content import Content, read_blob
from lapstrake.image.outputs.target import Target
from lapstrake.progress import Progress

_AT_A_TIME = 4


def push_image(blobs: BlobStore, content: Content, target: Target, *, progress: Progress) -> None:
    """Push an image, or an index with all its members.

    What the registry has is not sent again; until the last manifest is there, the tag is what it
    was.

    Args:
        blobs: where the image's blobs are.
        content: what the image consists of.
        target: the registry, the repository and the tag.
        progress: who listens.

    Raises:
        RegistryError: the registry refuses, or cannot be reached.
        ConfigError: a file of credentials is damaged.
    """
    with contextlib.closing(RegistryClient(target)) as client:
        client.connect()
        _push_blobs(client, blobs, content, progress)
        for manifest in content.manifests:
            tagged = manifest.digest == content.top.digest
            _push_manifest(client, blobs, manifest, target.tag if tagged else str(manifest.digest))


def _push_blobs(
    client: RegistryClient, blobs: BlobStore, content: Content, progress: Progress
) -> None:
    pool = ThreadPoolExecutor(_AT_A_TIME)
    try:
        sent = [pool.submit(_push_blob, client, blobs, blob, progress) for blob in content.blobs]
        for each in wait(sent, return_when=FIRST_EXCEPTION).done:
            each.result()
    except BaseException:
        client.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _push_blob(
    client: RegistryClient, blobs: BlobStore, blob: Descriptor, progress: Progress
) -> None:
    size = f"{blob.size / 1e6:.1f} MB"
    if upload.has_blob(client, blob):
        progress.output(f"{blob.digest} {size} is there\n".encode())
        return
    session = upload.begin(client, blob)
    if session is not None:
        upload.send_blob(client, blobs, blob, session)
    progress.output(f"{blob.digest} {size} {'pushed' if session else 'taken over'}\n".encode())


def _push_manifest(
    client: RegistryClient, blobs: BlobStore, manifest: Descriptor, reference: str
) -> None:
    client.call(
        "PUT",
        f"manifests/{reference}",
        doing=f"pushing the manifest {manifest.digest} as {reference}",
        allowed=(200, 201, 202),
        body=read_blob(blobs, manifest.digest),
        headers={"Content-Type": manifest.media_type},
    )
