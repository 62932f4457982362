"""What tests of the farm's pages look at, and the settings of the servers that show them."""

from __future__ import annotations

from farm_hand import ENGINE

SETTINGS = (
    ENGINE,
    "farm.dead_after=1h",
    "farm.disk_low=1M",
)
"""A worker may come though there is no database for workers, and is never silent."""

PAGES = (
    "/",
    "/tasks",
    "/groups",
    "/queue",
    "/workers",
    "/branches",
    "/branches/stable",
    "/images",
    "/history",
    "/submit",
    "/login",
    "/tokens",
)
"""Every page that has one address."""
