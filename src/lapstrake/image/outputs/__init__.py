"""Where an image can go: registries, layouts, archives, engines, a root as a file."""
