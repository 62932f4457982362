"""The farm: tasks and groups of them, an engine that places them, workers that build."""
