"""A forge that takes files for a release, as GitHub and Gitea do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lapstrake.artifact.base import Forge

TOKEN = "let me in"


@dataclass
class UploadForge:
    """One repository ``owner/tools``, and its releases.

    Attributes:
        forge: whose behaviour.
        url: where it answers.
        releases: tag to release.
        contents: asset id to bytes.
        calls: methods and paths, in order.
        refusals: what is answered instead, by method, once each.
    """

    forge: Forge
    url: str = ""
    releases: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refusals: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def api(self) -> str:
        """The path of the repository in the API."""
        return f"/api/{'v3' if self.forge is Forge.GITHUB else 'v1'}/repos/owner/tools"

    def files(self, tag: str) -> dict[str, bytes]:
        """What a release has."""
        return {each["name"]: self.contents[each["id"]] for each in self.releases[tag]["assets"]}

    def add_release(self, tag: str) -> dict[str, Any]:
        """Make an empty one."""
        number = len(self.releases) + 1
        release: dict[str, Any] = {"id": number, "tag_name": tag, "assets": []}
        if self.forge is Forge.GITHUB:
            place = f"{self.url}/uploads/{number}"
            release["upload_url"] = f"{place}{{?name,label}}"
        self.releases[tag] = release
        return release

    def add_file(self, release: dict[str, Any], name: str, data: bytes, **more: Any) -> Any:
        """Put a file there; GitHub has no ``~`` in names."""
        number = 100 + len(self.contents)
        name = name.replace("~", ".") if self.forge is Forge.GITHUB else name
        asset: dict[str, Any] = {"id": number, "name": name, "size": len(data), **more}
        asset["browser_download_url"] = f"{self.url}/download/{number}"
        asset["url"] = asset["browser_download_url"]
        if self.forge is Forge.GITHUB and "state" not in more:
            asset.update(state="uploaded", digest=f"sha256:{hashlib.sha256(data).hexdigest()}")
        release["assets"].append(asset)
        self.contents[number] = data
        return asset

    def find(self, asset: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """An asset, and its release."""
        return next(
            (release, each)
            for release in self.releases.values()
            for each in release["assets"]
            if each["id"] == asset
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        forge: UploadForge = self.server.forge  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = urlsplit(self.path)
        forge.calls.append(f"{self.command} {parts.path}")
        word = "Bearer" if forge.forge is Forge.GITHUB else "token"
        if self.headers.get("Authorization") != f"{word} {TOKEN}":
            self._reply(401, b'{"message": "Bad credentials"}')
        elif self.command in forge.refusals:
            self._reply(*forge.refusals.pop(self.command))
        else:
            name = parse_qs(parts.query).get("name", [""])[0]
            self._reply(*_answer(forge, self.command, parts.path, name, self._content(body)))

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def _content(self, body: bytes) -> bytes:
        """The body, or the file in a form."""
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/form-data"):
            return body
        form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        _whole, part = form.walk()
        assert part.get_param("name", header="content-disposition") == "attachment"
        return bytes(part.get_payload(decode=True))

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests print enough."""


def _answer(
    forge: UploadForge, method: str, path: str, name: str, body: bytes
) -> tuple[int, bytes]:
    rest = path.removeprefix(forge.api)
    words = [int(word) for word in rest.split("/") if word.isdigit()]
    if rest.startswith("/download/"):
        return 200, forge.contents[words[0]]
    if method == "GET":
        release = forge.releases.get(rest.removeprefix("/releases/tags/"))
        return (200, _json(release)) if release else (404, b"{}")
    if (method, rest) == ("POST", "/releases"):
        return 201, _json(forge.add_release(json.loads(body)["tag_name"]))
    if method == "POST":
        release = next(each for each in forge.releases.values() if each["id"] == words[0])
        if name in [each["name"] for each in release["assets"]]:
            return 422, b'{"message": "already_exists"}'
        return 201, _json(forge.add_file(release, name, body))
    release, asset = forge.find(words[-1])
    if method == "PATCH":
        asset.update(json.loads(body))
        return 200, _json(asset)
    release["assets"].remove(asset)
    return 204, b""


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


@contextmanager
def upload_forge(forge: Forge) -> Iterator[UploadForge]:
    """Run one until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    running = UploadForge(forge=forge, url=f"http://127.0.0.1:{server.server_address[1]}")
    server.forge = running  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
