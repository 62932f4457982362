"""The environment of cross-compiling, computed as a value."""
