"""A machine that builds: slots, the link to the server, the build itself."""
