"""The web pages: readable without script, alive with it."""
