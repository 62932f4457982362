"""Find an npm package's archive through the user's npm: its registry, its settings."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from pathlib import Path

from lapstrake.errors import FetchError
from lapstrake.host.process import require_program, run
from lapstrake.names import Digest
from lapstrake.source.index_file import IndexFile
from lapstrake.source.job import Job

_NAME = re.compile(r"(@[a-z0-9~][a-z0-9._~-]*/)?[A-Za-z0-9_~][A-Za-z0-9._~-]*\Z")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]*\Z")


def find_archive(job: Job) -> IndexFile:
    """Ask npm for the archive of a spec's version.

    Raises:
        FetchError: the registry has no such version or does not answer, or npm is missing.
    """
    spec = job.spec
    if not _NAME.match(spec.url) or not _VERSION.match(spec.revision):
        raise FetchError(f"{job.label}: {spec.url}@{spec.revision} is no npm package and version")
    npm = require_program("npm", package="npm", error=FetchError)
    settings = {n: v for n, v in os.environ.items() if n.lower().startswith("npm_config_")}
    done = run(
        [npm, "view", "--json", f"{spec.url}@{spec.revision}", "dist"],
        timeout=min(job.remaining(), 120.0), error=FetchError, env=settings, cwd=Path("/"),
        doing=f"{job.label}: asking npm for {spec.url} {spec.revision}",
    )  # fmt: skip
    return parse_dist(done.stdout, spec.url, spec.revision)


def parse_dist(answer: bytes, name: str, version: str) -> IndexFile:
    """Read what ``npm view --json NAME@VERSION dist`` prints.

    Raises:
        FetchError: it names no archive; npm prints nothing for a version that does not exist.
    """
    try:
        dist = json.loads(answer)
        url = str(dist["tarball"])
        if not url.startswith(("http:", "https:")):
            raise ValueError(url)
        return IndexFile(
            name=url.rpartition("/")[2], url=url, digest=_integrity(dist.get("integrity") or "")
        )
    except (ValueError, KeyError, TypeError, AttributeError) as missing:
        raise FetchError(
            f"the npm registry has no archive of {name} {version}",
            resolution="Check name and version: the version must be an exact one.",
        ) from missing


def _integrity(text: str) -> Digest | None:
    """The strongest hash of a Subresource Integrity text, such as ``sha512-BASE64``."""
    said = dict(word.partition("-")[::2] for word in text.split())
    for algorithm in ("sha512", "sha384", "sha256"):
        if algorithm in said:
            try:
                return Digest(algorithm, base64.b64decode(said[algorithm], validate=True).hex())
            except binascii.Error:
                return None
    return None
