"""From a bundle to packages: the plan, the build, its record."""
