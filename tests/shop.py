"""A work folder as a user has it: the real program, tiny bundles, branches of one's own."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roots import Completed, cli_command, cli_environment, run_cli

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
_SECONDS = 800.0
MAINTAINER = "Ada Lovelace <ada@example.org>"


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A work folder, and the program in it.

    Attributes:
        work_dir: the folder; other tests use it at the same time.
        user: who runs the program; ourselves when ``None``.
        settings: given to every command by ``--set``.
    """

    work_dir: Path
    user: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str, **variables: str) -> Completed:
        """Run ``lapstrake`` with words; keywords are environment variables."""
        return run_cli(
            *self._set(),
            *words,
            work_dir=self.work_dir,
            user=self.user,
            timeout=_SECONDS,
            cwd=None,
            **variables,
        )

    def ok(self, *words: str, **variables: str) -> Completed:
        """Run it, and make sure that it went well."""
        done = self.run(*words, **variables)
        assert done.ok, f"{' '.join(words)}: {done.status}\n{done.stderr[-4000:]}"
        assert "Traceback" not in done.stderr
        return done

    def fails(self, code: int, *words: str, **variables: str) -> Completed:
        """Run it, and make sure that it ends with an exit code and a message, no traceback."""
        done = self.run(*words, **variables)
        assert done.status == code, f"{' '.join(words)}: {done.status}\n{done.stderr[-4000:]}"
        assert "error: " in done.stderr
        assert "Traceback" not in done.stderr
        return done

    def build(self, bundle: Path | str, branch: str, *words: str, **variables: str) -> Any:
        """Build; gives the record, which is all that stdout may hold."""
        return json.loads(
            self.ok("build", "--json", *words, str(bundle), branch, **variables).stdout
        )

    def build_fails(
        self, code: int, bundle: Path | str, branch: str, *words: str, **variables: str
    ) -> Any:
        """A build that fails with an exit code; gives the record, its ``stderr`` added."""
        done = self.fails(code, "build", "--json", *words, str(bundle), branch, **variables)
        return {**json.loads(done.stdout), "stderr": done.stderr}

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start it, to be looked at while it runs."""
        account = pwd.getpwnam(self.user) if self.user else None
        return subprocess.Popen(
            cli_command(*self._set(), *words, user=self.user),
            env=cli_environment(self.work_dir, user=self.user, **variables),
            cwd=self.work_dir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )

    def using(self, **settings: str) -> Shop:
        """The same shop with more settings; ``__`` stands for the dot of a key."""
        named = {key.replace("__", "."): text for key, text in settings.items()}
        return Shop(work_dir=self.work_dir, user=self.user, settings={**self.settings, **named})

    def branch(self) -> str:
        """A new branch with the list of ``stable``, and so with its root; no packages yet."""
        lists = self.work_dir / "conf" / "source_lists"
        name = f"t{os.urandom(4).hex()}"
        shutil.copy(lists / "stable.sources", lists / f"{name}.sources")
        return name

    def output(self, branch: str) -> Path:
        """The repository of a branch."""
        return self.work_dir / "output" / branch

    def records(self) -> Path:
        """The folder of records."""
        return self.work_dir / "builds"

    def log(self, record: Mapping[str, Any]) -> str:
        """The log of a build."""
        path = self.records() / str(record["id"]) / "build.log"
        return path.read_text()

    def scratch(self) -> Path:
        """An empty folder that the user may read and write."""
        folder = Path(tempfile.mkdtemp(dir=self.work_dir, prefix="scratch-"))
        if self.user:
            shutil.chown(folder, self.user, self.user)
        folder.chmod(0o755)
        return folder

    def bundle(
        self,
        name: str,
        *,
        install: str = "",
        extra: str = "",
        files: Mapping[str, str] | None = None,
        version: str = "1",
        steps: Mapping[str, str] | None = None,
    ) -> Path:
        """A native bundle that needs nothing but the root, and makes one package of one file."""
        folder = self.scratch() / name
        folder.mkdir()
        lines = (
            install
            or f'mkdir -p "$DESTDIR/usr/share/{name}"\necho hi > "$DESTDIR/usr/share/{name}/hi"'
        )
        texts = {**(steps or {}), "install": lines}
        tables = "\n".join(f"{step} = '''\n{text}\n'''" for step, text in texts.items())
        (folder / "lapstrake.toml").write_text(
            f'[package]\nname = "{name}"\nversion = "{version}"\ndescription = "a test"\n'
            f'maintainer = "{MAINTAINER}"\narchitecture = "all"\n\n[steps]\n{tables}\n\n{extra}\n'
        )
        for path, text in (files or {}).items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return folder

    def _set(self) -> Sequence[str]:
        return [f"--set={key}={text}" for key, text in self.settings.items()]


def control(deb: Path) -> dict[str, str]:
    """A package's control fields, as dpkg-deb reads them."""
    text = subprocess.run(
        ["dpkg-deb", "--field", str(deb)], check=True, capture_output=True, text=True
    ).stdout
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in " \t":
            fields[name] += "\n" + line
        else:
            name, _, value = line.partition(": ")
            fields[name] = value
    return fields


def content(deb: Path) -> dict[str, str]:
    """What a package installs: path → mode and owner, as ``dpkg-deb --contents`` tells."""
    text = subprocess.run(
        ["dpkg-deb", "--contents", str(deb)], check=True, capture_output=True, text=True
    ).stdout
    found = {}
    for line in text.splitlines():
        mode, owner, _, _, _, path = line.split(maxsplit=5)
        found[path.removeprefix(".").partition(" -> ")[0].rstrip("/")] = f"{mode} {owner}"
    return found


def file_of(deb: Path, path: str) -> bytes:
    """The bytes of a file in a package."""
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], check=True, capture_output=True)
    return subprocess.run(
        ["tar", "-xO", f".{path}"], input=tar.stdout, check=True, capture_output=True
    ).stdout


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Names, modes and bytes of everything below a folder."""
    found = {}
    for entry in sorted(folder.rglob("*")):
        facts = entry.lstat()
        data = entry.read_bytes() if entry.is_file() and not entry.is_symlink() else b""
        found[str(entry.relative_to(folder))] = (facts.st_mode, data)
    return found
