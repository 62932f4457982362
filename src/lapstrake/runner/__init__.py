"""Runners: how commands run inside a stack (userns, nspawn, docker, local)."""
