"""One module for each step; the first line of each says what it brings."""
