"""Where and when tasks run best: estimates from history, critical paths, a solver."""
