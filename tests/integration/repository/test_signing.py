"""Keys and signatures, made and checked by the real gpg."""

from __future__ import annotations

import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lapstrake.errors import ConfigError, PublishError
from lapstrake.repository.signing import Signer, own_signer, user_signer


def accepts(key: bytes, text: bytes, signer: Signer, top: Path) -> bool:
    """Whether gpgv finds both signatures of a text good by a key alone."""
    signed = signer.sign(text)
    (top / "key.gpg").write_bytes(key)
    (top / "text").write_bytes(text)
    (top / "inline").write_bytes(signed.inline)
    (top / "detached").write_bytes(signed.detached)
    words = ["gpgv", "--keyring", str(top / "key.gpg")]
    return all(
        subprocess.run([*words, *files], cwd=top, capture_output=True).returncode == 0
        for files in (["inline"], ["detached", "text"])
    )


def agents(home: Path) -> list[str]:
    """The agents that run for a home, by what the kernel knows of every process."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"gpg-agent") and str(home).encode() in words:
            found.append(command.parent.name)
    return found


def test_the_own_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    signer = own_signer(keys)
    assert own_signer(keys) == signer
    assert signer.home is not None
    assert stat.S_IMODE(signer.home.stat().st_mode) == 0o700
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    listed = subprocess.run(
        ["gpg", "--homedir", signer.home, "--with-colons", "--list-keys"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (public,) = [line.split(":") for line in listed.splitlines() if line.startswith("pub:")]
    assert public[3] == "22"  # EdDSA
    assert public[6] == ""  # never expires
    assert public[11] == "scSC"  # signs (and certifies), no encryption
    assert accepts(signer.public_key(armored=False), b"a text\n", signer, tmp_path)
    assert signer.public_key(armored=True).startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert agents(signer.home) == []


def test_a_home_too_deep_for_a_socket_works(tmp_path: Path) -> None:
    signer = own_signer(tmp_path / ("deep" * 30) / "keys")
    assert accepts(signer.public_key(armored=False), b"a text\n", signer, tmp_path)


def test_many_at_once_make_one_key_and_all_sign(tmp_path: Path) -> None:
    def work(number: int) -> tuple[str, bytes]:
        signer = own_signer(tmp_path / "keys")
        return signer.fingerprint, signer.sign(f"text {number}\n".encode()).inline

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(work, range(12)))
    assert len({fingerprint for fingerprint, _ in results}) == 1
    for number, (_, inline) in enumerate(results):
        assert f"text {number}\n".encode() in inline
    assert [path.name for path in (tmp_path / "keys").iterdir() if "tmp" in path.name] == []


def test_a_half_made_key_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / "keys" / ".lapstrake-tmp.0123.repository"
    half.mkdir(parents=True)
    (half / "pubring.kbx").write_bytes(b"half")
    signer = own_signer(tmp_path / "keys")
    assert accepts(signer.public_key(armored=False), b"a text\n", signer, tmp_path)
    assert not half.exists()


def test_the_users_key(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    options = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    make = [*options, "--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key"]
    subprocess.run([*make, "One <one@example.org>", "ed25519", "sign"], check=True)
    subprocess.run([*make, "Two <two@example.org>", "ed25519", "sign"], check=True)
    try:
        signer = user_signer("one@example.org", home)
        assert len(signer.fingerprint) == 40
        assert accepts(signer.public_key(armored=False), b"a text\n", signer, tmp_path)
        other = user_signer("two@example.org", home)
        assert not accepts(other.public_key(armored=False), b"a text\n", signer, tmp_path)
        with pytest.raises(ConfigError, match="no secret keys match"):
            user_signer("nobody@example.org", home)
        with pytest.raises(ConfigError, match="2 secret keys match"):
            user_signer("example.org", home)
        with pytest.raises(PublishError, match="signing the index"):
            Signer(home=home, fingerprint="0" * 40, ours=False).sign(b"text")
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True)
