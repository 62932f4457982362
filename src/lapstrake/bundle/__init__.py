"""Bundles: one package's build directory, in three formats."""
