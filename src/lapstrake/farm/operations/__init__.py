"""Running a farm: units, backup and restore, migrations, the database's roles."""
