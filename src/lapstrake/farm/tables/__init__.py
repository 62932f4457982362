"""What the farm remembers: tables, their migrations, the database that has them."""
