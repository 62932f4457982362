"""From a package to its artifact, made here: in order, one at a time, by a builder."""
