"""Layers: immutable directory trees found by a cache key, and stacks of them."""
