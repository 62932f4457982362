"""What the farm remembers: tables, their migrations, their queries."""
