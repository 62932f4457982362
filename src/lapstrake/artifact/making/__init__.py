"""Artifacts made here: platforms, and the runners that they are built in."""
