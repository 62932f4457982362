"""What browsers, apt and monitoring read: pages, live events, packages, metrics."""
