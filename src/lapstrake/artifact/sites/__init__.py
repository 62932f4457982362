"""Where prebuilt artifacts may be found, and what looks there."""
