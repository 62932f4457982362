"""Archives of artifacts: packed, and unpacked without trust."""
