"""What may go: artifacts, and what getting and building them left."""
