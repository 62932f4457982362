"""The REST interface: the seed's seven calls, and /api/v1."""
