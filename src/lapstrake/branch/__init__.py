"""Base OS, branches and the repositories they publish."""
