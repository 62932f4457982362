"""What tells how popular packages are."""

from __future__ import annotations

from pathlib import Path

from lapstrake.cli.popular import count_installations, count_pulls, with_others
from lapstrake.config.load import load_config

LOG = """\
2026-01-01T00:00:00.000+00:00 192.0.2.1 - GET /v2/shell/jq/manifests/stable 200 1200 3.1ms docker
2026-01-01T00:00:00.000+00:00 192.0.2.1 - HEAD /v2/jq/manifests/stable 200 0 3.1ms docker
2026-01-01T00:00:00.000+00:00 192.0.2.1 - GET /v2/jq/manifests/sha256:abcd 200 1200 3.1ms docker
{"client": "a", "method": "GET", "path": "/v2/git/g-plus-plus/manifests/latest", "status": 200}
{"client": "a", "method": "GET", "path": "/v2/git/manifests/latest", "status": 404, "bytes": 200}
192.0.2.1 - - [01/Jan/2026] "GET /v2/git/manifests/stable HTTP/1.1" 200 33
192.0.2.1 - - [01/Jan/2026] "GET /v2/nix/git/manifests/stable HTTP/1.1" 200 33
192.0.2.1 - - [01/Jan/2026] "GET /v2/a..b/manifests/stable HTTP/1.1" 200 33
nonsense
"""


def test_pulls_of_three_kinds_of_logs(tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    counts = count_pulls(load_config(tmp_path, overrides={}), LOG)
    assert counts["git"] == 2
    assert counts["jq"] == counts["bash"] == counts["g++"] == 1
    assert "base-files" not in counts, "every image has it: nobody asks for it"


def test_the_popularity_contest() -> None:
    text = (
        "#rank name inst vote old recent no-files (maintainer)\n"
        "1     dpkg      277000 250000  9000 18000    10 (Dpkg Developers)\n"
        "2     g++        90000  10000  9000 18000    10 (GCC)\n"
        "-----------------------------------------------\n"
        "3     Total     367000 250000  9000 18000    10\n"
    )
    counts = count_installations(text)
    assert (counts["dpkg"], counts["g++"]) == (277000, 90000)


def test_what_nobody_counted_is_ranked_below() -> None:
    ranks = with_others({"rare": 2, "often": 9}, {"libc6": 500, "rare": 3, "libb": 4})
    assert sorted(ranks, key=lambda name: -ranks[name]) == ["often", "rare", "libc6", "libb"]
