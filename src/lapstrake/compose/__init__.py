"""Composed roots: package layers mounted together, and what configuring them writes."""
