"""One process that answers: settings, application, loops, its own builder."""
