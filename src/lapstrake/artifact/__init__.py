"""Artifacts: what systems, toolchains and tools are built into, found by their inputs."""
