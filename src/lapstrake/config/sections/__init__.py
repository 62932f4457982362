"""The sections of the configuration, each a value whose fields are its settings."""
