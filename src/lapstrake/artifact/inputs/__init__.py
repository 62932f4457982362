"""What an artifact is made of: which files count, and their checksum."""
