"""What ``lapstrake.toml`` says of a package or a project, and all that it depends on."""
