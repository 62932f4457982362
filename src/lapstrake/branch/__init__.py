"""Branches: their instances, drafts, and what is done to them by hand."""
