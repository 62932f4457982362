"""What goes on while clients listen: logs that grow, events."""
