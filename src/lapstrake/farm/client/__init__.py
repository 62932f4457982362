"""The farm from Python and from the command line."""
