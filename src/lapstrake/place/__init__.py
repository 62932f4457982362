"""A place to work in: configuration, store, runner; and apt, lists and state that roots share."""
