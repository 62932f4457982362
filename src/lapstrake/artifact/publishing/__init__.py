"""Artifacts put where sites look for them: folders, buckets, registries, releases."""
