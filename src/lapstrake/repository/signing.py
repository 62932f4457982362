"""The key that signs a repository: one of our own per working directory, or the user's.

Measured: a signature costs 7 ms with an agent that runs and 10 ms when it has to start, so one is
started for each publication and ended with it; none stays behind.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lapstrake.errors import ConfigError, PublishError
from lapstrake.host.files import remove_leftovers, replace_dir, temporary_name, write_atomic
from lapstrake.host.locks import locked
from lapstrake.host.process import require_program, run

KEY_NAME = "Lapstrake repository"
"""The user ID of the keys we make."""

_LONGEST_HOME = 80  # the agent's socket is in it, and sockets' names have at most 107 bytes
_SOCKET = "S.gpg-agent"
_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A text's two signatures."""

    inline: bytes  # the text and its signature: InRelease
    detached: bytes  # the signature alone, armoured: Release.gpg


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key in a GnuPG home.

    Attributes:
        home: the folder (mode 700); ``None`` is the user's own.
        fingerprint: of the key, in hexadecimal.
        ours: whether we made the home and end its agent after use.
    """

    home: Path | None
    fingerprint: str
    ours: bool

    def sign(self, text: bytes) -> Signed:
        """Sign a text inline and detached.

        Raises:
            PublishError: gpg refuses; the details are its own words.
        """
        with self._opened() as options:
            command = [*options, "--local-user", self.fingerprint, "--digest-algo", "SHA512"]
            if self.ours:
                command += ["--pinentry-mode", "loopback", "--passphrase", ""]
            inline = _gpg([*command, "--clearsign"], doing="signing the index", stdin=text)
            detached = _gpg(
                [*command, "--armor", "--detach-sign"], doing="signing the index", stdin=text
            )
        return Signed(inline=inline, detached=detached)

    def public_key(self, *, armored: bool) -> bytes:
        """The public key, as text or binary, for ``Signed-By``.

        Raises:
            PublishError: there is no such key.
        """
        with self._opened() as options:
            command = [*options, *(["--armor"] if armored else []), "--export-options"]
            data = _gpg(
                [*command, "export-minimal", "--export", self.fingerprint],
                doing="exporting the key",
            )
        if not data:
            raise PublishError(f"there is no public key {self.fingerprint}")
        return data

    @contextmanager
    def _opened(self) -> Iterator[list[str]]:
        if self.home is None:
            yield []
            return
        if not self.ours:
            yield ["--homedir", str(self.home)]
            return
        # One at a time: whoever ends first would end the agent that the other is talking to.
        with _alone(self.home), _short_home(self.home) as home:
            yield ["--no-options", "--homedir", str(home)]


def own_signer(keys: Path) -> Signer:
    """Find the working directory's own key, made when it is needed for the first time.

    It is an Ed25519 key that can only sign, has no passphrase and never expires: who can read the
    folder can sign, so the folder is for its owner alone.

    Args:
        keys: ``work_dir/keys``.

    Raises:
        PublishError: gpg is missing or refuses.
    """
    home = keys / "repository"
    try:
        known = (home / "fingerprint").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(home):
            if not (home / "fingerprint").exists():
                remove_leftovers(keys)
                _make_home(home)
        known = (home / "fingerprint").read_text(encoding="ascii").strip()
    return Signer(home=home, fingerprint=known, ours=True)


def end_left_agent(keys: Path) -> None:
    """End the agent of our own key that a killed publication left, if there is one.

    Args:
        keys: ``work_dir/keys``.
    """
    home = keys / "repository"
    if not (home / _SOCKET).exists():
        return
    lock = home.with_name(f"{home.name}.lock")
    with (
        suppress(PublishError),  # somebody signs at this moment
        locked(lock, what="the signing key", timeout=0, error=PublishError),
        _short_home(home),
    ):
        pass


def user_signer(key: str, home: Path | None = None) -> Signer:
    """Take a key of the user's: its agent, passphrase and token are the user's own affair.

    Args:
        key: a fingerprint, key ID or address.
        home: a GnuPG home; ``None`` is the user's default.

    Raises:
        ConfigError: there is no such secret key, or more than one.
    """
    options = ["--homedir", str(home)] if home is not None else []
    gpg = require_program("gpg", package="gpg", error=ConfigError)
    listed = run(
        [gpg, "--batch", "--no-tty", *options, "--with-colons", "--list-secret-keys", "--", key],
        timeout=_TIMEOUT,
        error=ConfigError,
        doing=f"looking for the signing key {key!r}",
        allowed=(0, 2),
    )
    found = _primary_fingerprints(listed.text)
    if len(found) != 1:
        raise ConfigError(
            f"{len(found) or 'no'} secret keys match {key!r}",
            details="\n".join(found),
            resolution="Name one by its whole fingerprint (gpg --list-secret-keys).",
        )
    return Signer(home=home, fingerprint=found[0], ours=False)


def _make_home(home: Path) -> None:
    """Make a GnuPG home with one key, complete or not at all."""
    new = temporary_name(home)
    new.mkdir(mode=0o700)
    with _short_home(new) as short:
        options = [
            "--no-options",
            "--homedir",
            str(short),
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]
        _gpg(
            [*options, "--quick-generate-key", KEY_NAME, "ed25519", "sign", "never"],
            doing="making the key that signs the repositories",
        )
        listed = _gpg([*options, "--with-colons", "--list-secret-keys"], doing="reading the key")
    (fingerprint,) = _primary_fingerprints(listed.decode("utf-8", "replace"))
    write_atomic(new / "fingerprint", f"{fingerprint}\n".encode())
    replace_dir(new, home)


@contextmanager
def _short_home(home: Path) -> Iterator[Path]:
    """A name for a home that is short enough for the agent's socket; its agent ends afterwards."""
    with tempfile.TemporaryDirectory(prefix="lapstrake-") as folder:
        short = home.absolute()
        if len(os.fsencode(short)) > _LONGEST_HOME:
            short = Path(folder, "k")
            short.symlink_to(home.absolute())
        try:
            yield short
        finally:
            stop: list[str | Path] = ["gpgconf", "--homedir", short, "--kill", "gpg-agent"]
            run(stop, timeout=_TIMEOUT, error=PublishError, allowed=range(256))


def _alone(home: Path) -> AbstractContextManager[None]:
    lock = home.with_name(f"{home.name}.lock")
    return locked(lock, what="the signing key", timeout=_TIMEOUT, error=PublishError)


def _gpg(options: Sequence[str], *, doing: str, stdin: bytes = b"") -> bytes:
    gpg = require_program("gpg", package="gpg", error=PublishError)
    command: list[str | Path] = [gpg, "--batch", "--no-tty", "--quiet", *options]
    return run(command, timeout=_TIMEOUT, error=PublishError, doing=doing, stdin=stdin).stdout


def _primary_fingerprints(listing: str) -> list[str]:
    """Read gpg's colon format: the ``fpr`` record that follows each ``sec`` record."""
    found, wanted = [], False
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] == "sec":
            wanted = True
        elif fields[0] == "fpr" and wanted:
            found.append(fields[9])
            wanted = False
    return found
