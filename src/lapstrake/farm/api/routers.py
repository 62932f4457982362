"""All routes of the API."""

from __future__ import annotations

from fastapi import APIRouter

from lapstrake.farm.api import layers, seed, transfer
from lapstrake.farm.api.v1 import attempts, events, groups, logs, tasks, workers

ALL: tuple[APIRouter, ...] = (
    seed.router,
    tasks.router,
    attempts.router,
    logs.router,
    events.router,
    groups.router,
    workers.router,
    transfer.router,
    layers.router,
)
"""In the order in which they are looked at."""
