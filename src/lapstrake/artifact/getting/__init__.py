"""From a package to its artifact, wherever that is."""
