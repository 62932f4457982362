"""Push an image: its blobs at the same time, then its manifests, the one with the tag last."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from lapstrake.blobs.base import BlobStore
from lapstrake.formats.amounts import size_text
from lapstrake.image.outputs.attached import Attached, find_attached, list_attached
from lapstrake.image.outputs.content import Content, content_of, read_blob
from lapstrake.image.outputs.known import KnownPlaces
from lapstrake.image.outputs.target import Target
from lapstrake.oci import upload
from lapstrake.oci.answer import Answer
from lapstrake.oci.client import RegistryClient
from lapstrake.oci.descriptors import Descriptor
from lapstrake.progress import Progress

_AT_A_TIME = 4


def push_image(blobs: BlobStore, content: Content, target: Target, *, progress: Progress) -> None:
    """Push an image, or an index with all its members; what is attached to them goes along.

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
    attached = find_attached(blobs, content)
    contents = (content, *(content_of(blobs, each.manifest) for each in attached))
    parts = {blob.digest: blob for each in contents for blob in each.blobs}
    with contextlib.closing(RegistryClient(target.repository)) as client:
        client.connect()
        Pusher(client, blobs, progress).push_blobs(tuple(parts.values()))
        for manifest in content.manifests:
            of_this = [each for each in attached if each.subject == manifest.digest]
            _push_attached(client, blobs, of_this)
            top = manifest.digest == content.top.digest
            _put(client, blobs, manifest, target.tag if top else str(manifest.digest))


class Pusher:
    """Sends blobs, several at a time.

    Args:
        client: the repository.
        blobs: where they are.
        progress: who listens.
    """

    def __init__(self, client: RegistryClient, blobs: BlobStore, progress: Progress) -> None:
        self._client = client
        self._blobs = blobs
        self._progress = progress
        self._telling = threading.Lock()
        self._known = KnownPlaces(blobs, client.repository)

    def push_blobs(self, wanted: Sequence[Descriptor]) -> None:
        """See to it that the repository has these blobs.

        Raises:
            RegistryError: the registry refuses one; the others are given up.
        """
        pool = ThreadPoolExecutor(_AT_A_TIME)
        try:
            sent = [pool.submit(self._push, blob) for blob in wanted]
            for each in wait(sent, return_when=FIRST_EXCEPTION).done:
                each.result()
        except BaseException:
            self._client.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        self._known.add(blob.digest for blob in wanted)

    def _push(self, blob: Descriptor) -> None:
        if upload.has_blob(self._client, blob):
            self._tell(blob, "is there")
            return
        session = upload.begin(self._client, blob, known_in=self._known.find(blob.digest))
        if session is None:
            self._tell(blob, "taken over from another repository")
            return
        upload.send_blob(
            self._client,
            blob,
            session,
            read=lambda start: self._blobs.read(blob.digest, start=start),
            on_sent=lambda count: self._tell(blob, f"{count / blob.size:.0%} sent"),
        )
        self._tell(blob, "pushed")

    def _tell(self, blob: Descriptor, what: str) -> None:
        with self._telling:
            self._progress.output(f"{blob.digest} {size_text(blob.size)} {what}\n".encode())


def _push_attached(client: RegistryClient, blobs: BlobStore, attached: Sequence[Attached]) -> None:
    """Push what refers to a manifest, before that manifest: nobody sees it without them."""
    unlisted = []
    for each in attached:
        answer = _put(client, blobs, each.manifest, str(each.manifest.digest))
        if "oci-subject" not in answer.headers:  # the registry does not list referrers itself
            unlisted.append(each)
    if unlisted:
        list_attached(client, unlisted)


def _put(client: RegistryClient, blobs: BlobStore, manifest: Descriptor, reference: str) -> Answer:
    return client.call(
        "PUT",
        f"manifests/{reference}",
        doing=f"pushing the manifest {manifest.digest} as {reference}",
        allowed=(200, 201, 202),
        body=read_blob(blobs, manifest.digest),
        headers={"Content-Type": manifest.media_type},
    )
