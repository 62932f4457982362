"""Images that are made when they are pulled: looked up, made, recorded, kept fresh, forgotten."""
