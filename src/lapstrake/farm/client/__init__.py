"""The farm from Python; the command line and the workers stand on it."""
