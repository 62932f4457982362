"""Running a farm: units, backup and restore, the database's roles."""
