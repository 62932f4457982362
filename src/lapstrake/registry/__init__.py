"""The registry: the OCI distribution specification, and images made when they are pulled."""
