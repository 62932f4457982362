"""Bundles, sources, layers and results as content on the move: by digest, resumed, verified."""
