"""Bills of material and provenance of images, as OCI artifacts that refer to them."""
