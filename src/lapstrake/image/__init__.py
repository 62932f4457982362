"""Images: a closure, its grouping, and OCI layers, configuration and manifests made of it."""
