"""All routes of the API."""

from __future__ import annotations

from fastapi import APIRouter

from lapstrake.farm.api import docs, health, layers, seed, transfer
from lapstrake.farm.api.v1 import (
    attempts,
    branches,
    events,
    groups,
    logs,
    looking,
    tasks,
    tokens,
    webhooks,
    workers,
)

ALL: tuple[APIRouter, ...] = (
    seed.router,
    tasks.router,
    attempts.router,
    logs.router,
    events.router,
    groups.router,
    workers.router,
    transfer.router,
    branches.router,
    layers.router,
    looking.router,
    tokens.router,
    webhooks.router,
    health.router,
    docs.router,
)
"""In the order in which they are looked at."""
