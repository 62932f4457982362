"""A package set of tiny packages that nix builds without any network."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lapstrake.config.model import Config, NixConfig
from lapstrake.host.process import find_program
from lapstrake.image.base import ImageRequest
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.runner.choose import load

DEFAULT = r"""
{ system ? "x86_64-linux", ... }:
let
  tools = ./tools;
  make = name: script: derivation {
    inherit name system;
    builder = "${tools}/busybox";
    args = [ "sh" "-c" ("set -e; PATH=/t; mkdir() { ${tools}/busybox mkdir -p $1; }; " + script) ];
  };
  program = "#!${tools}/busybox sh";
in rec {
  greeting = make "greeting-1.0" ''
    mkdir $out/share/greeting; echo "GREETING" > $out/share/greeting/text
  '';
  hello = make "hello-2.12" ''
    mkdir $out/bin
    echo "${program}" > $out/bin/hello
    echo "exec ${tools}/busybox cat ${greeting}/share/greeting/text" >> $out/bin/hello
    ${tools}/busybox chmod +x $out/bin/hello
  '';
  bashInteractive = make "bash-interactive-5.1" ''
    mkdir $out/bin; ${tools}/busybox ln -s ${tools}/busybox $out/bin/bash
    ${tools}/busybox ln -s ${tools}/busybox $out/bin/sh
    mkdir $out/share/greeting; echo "shell" > $out/share/greeting/shell
  '';
  cacert = make "nss-cacert-3.79" ''
    mkdir $out/etc/ssl/certs; echo certificate > $out/etc/ssl/certs/ca-bundle.crt
  '';
  xorg = { xev = make "xev-1" "mkdir $out/bin; echo xev > $out/bin/xev"; };
  haskellPackages.Cabal = make "cabal-3" "mkdir $out/bin; echo 3 > $out/bin/cabal";
  haskellPackages.pandoc = make "pandoc-2" "mkdir $out/bin; echo 2 > $out/bin/pandoc";
  TWIN = make "twin-upper" "mkdir $out; echo upper > $out/twin";
  Twin = make "twin-title" "mkdir $out; echo title > $out/twin";
  _1password = make "1password-8" "mkdir $out; echo 8 > $out/op";
  license = make "license" "echo terms > $out";
  broken = make "broken-1" ''
    i=0; while [ $i -lt 60 ]; do echo "line $i"; i=$((i+1)); done; echo "it goes wrong" >&2; exit 3
  '';
  sleeper = make "sleeper-1" "${tools}/busybox sleep 600";
  chatty = make "chatty-1" ''
    ${tools}/busybox yes abcdefghijklmnopqrstuvwxyz | ${tools}/busybox head -c 1500000 >&2
    mkdir $out
  '';
  big = make "big-1" "${tools}/busybox head -c 50000000 /dev/zero > $out";
  gone = throw "gone was renamed to hello";
  foreign = make "foreign-1" "mkdir $out" // { system = "mips-linux"; };
  aSet = { };
}
"""


def write_packages(folder: Path, *, greeting: str = "hello from nix") -> Path:
    """Write the package set, with the busybox of this host as its only tool."""
    busybox = find_program("busybox")
    assert busybox is not None
    (folder / "tools").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(busybox, folder / "tools/busybox")
    (folder / "tools/busybox").chmod(0o755)
    (folder / "default.nix").write_text(DEFAULT.replace("GREETING", greeting), encoding="utf-8")
    return folder


def lacks_for_nix(folder: Path) -> str:
    """Why nix cannot build here; empty when it can."""
    busybox = find_program("busybox")
    if find_program("nix-store") is None:
        return "needs nix (apt install nix-bin)"
    if busybox is None or _is_dynamic(busybox):
        return "needs a static busybox (apt install busybox-static)"
    from lapstrake.errors import ImageError
    from lapstrake.image.sources.nix import NixSource

    place = nix_place(folder / "work", path=write_packages(folder / "packages"))
    try:
        with NixSource(place).open(nix_request("greeting")):
            return ""
    except ImageError as failed:
        return f"nix cannot build in its sandbox here: {failed}"


def nix_place(
    work_dir: Path,
    *,
    path: Path | None = None,
    repository: str = "",
    channel: str = "",
    timeout: float = 120.0,
) -> Workplace:
    """A place whose images come from a package set; nothing asks for substitutes."""
    work_dir.mkdir(parents=True, exist_ok=True)
    config = Config(
        work_dir=work_dir,
        nix=NixConfig(path=path, repository=repository, channel=channel, timeout=timeout),
    )
    return Workplace(config, load("userns"), Silent())


def nix_request(*packages: str, **fields: object) -> ImageRequest:
    """A request for an image of Nix packages."""
    return ImageRequest(packages=tuple(sorted(packages)), source="nix", **fields)  # type: ignore[arg-type]


def _is_dynamic(program: Path) -> bool:
    done = subprocess.run([program, "true"], env={"LD_TRACE_LOADED_OBJECTS": "1"},
                          capture_output=True, check=False)  # fmt: skip
    return bool(done.stdout)
