"""``/api/v1``: everything that users, pages and workers ask for beyond the seven calls."""
