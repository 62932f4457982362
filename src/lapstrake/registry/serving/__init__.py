"""The server: its processes, how it sends files, what it logs."""
