"""The OCI distribution specification: its endpoints, what is pushed, and what is collected."""
