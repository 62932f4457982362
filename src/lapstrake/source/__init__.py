"""Sources: what a bundle fetches, pinned by checksums, verified before unpacking."""
