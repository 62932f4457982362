"""Registries of the OCI distribution specification, spoken to as a client."""
