"""Artifacts in use: as an environment, as firmware, as a layer."""
