"""What a root has that its image must not have; pure.

Rules are regular expressions for whole names of the root, without the slash in front.
"""

from __future__ import annotations

_SECRETS = (
    r"etc/machine-id",
    r"var/lib/dbus/machine-id",
    r"etc/ssh/ssh_host_.*",
    r"etc/ssl/private/ssl-cert-snakeoil\.key",
    r"etc/ssl/certs/ssl-cert-snakeoil\.pem",
    r"var/lib/systemd/(random-seed|credential\.secret)",
    r"var/lib/urandom/random-seed",
    r"var/cache/debconf/passwords\.dat",
)
_OF_THIS_HOST = (
    r"etc/(hostname|resolv\.conf)",
    r"(proc|sys|dev|run|tmp|var/tmp)/.*",
    r"\.dockerenv",
)
_HISTORY = (
    r"var/log/.*\.(log|gz|xz|[0-9])",
    r"var/log/(apt|installer|journal|unattended-upgrades)/.*",
    r"var/log/(btmp|wtmp|lastlog|faillog|dmesg)",
    r"var/backups/.*",
    r"etc/(passwd|group|shadow|gshadow|subuid|subgid)-",
    r"etc/\.pwd\.lock",
    r".*\.dpkg-(old|tmp|new)",
    r"var/lib/dpkg/[a-z]+-old",
    r"var/lib/dpkg/(lock|lock-frontend|triggers/Lock)",
    r"var/cache/debconf/[a-z]+\.dat-old",
    r"var/lib/ucf/[a-z]+\.[0-9]",
)
_CACHES = (
    r"var/lib/apt/lists/.+",
    r"var/cache/apt/.+\.(bin|deb)",
    r"var/cache/ldconfig/.*",
    r"var/cache/(man|fontconfig)/.*",
    r".*/__pycache__/[^/]*\.pyc",  # their bytes differ from one run of Python to the next
)

NEVER = "|".join((*_SECRETS, *_OF_THIS_HOST, *_HISTORY, *_CACHES))
"""No layer of a base OS, and none of what was configured, has these: secrets and marks of one
machine, logs, backups, and what programs make or fetch again. (Packages' own files stay.)"""

UNNEEDED = "|".join((NEVER, r"var/(cache|log)/.*", r"var/lib/dpkg/(available|cmethopt)"))
"""Nor do minimal images have what only tools that manage packages look at."""

KEPT = (
    r"var/lib/dpkg(/(status|arch|diversions|statoverride|updates|parts|info|info/format"
    r"|(triggers|alternatives)(/.*)?))?"
    r"|etc/alternatives(/.*)?"
)
"""What minimal images keep although the packages that it belongs to (dpkg) may not be there."""

APT = r"etc/apt/sources\.list(\.d/.*)?"
"""What goes where apt goes."""

ELSEWHERE = r"/?(\.\./)*(proc|run|dev|sys|tmp|var/run|var/tmp)/.*"
"""Where links lead that may dangle: to what is there only when something runs."""
