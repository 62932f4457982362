"""What runs a build: platforms' steps, in containers, in roots, or on the host itself."""
