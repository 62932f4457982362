"""The apt repository that a branch is published in."""
