"""What tasks and groups may do: pure rules, no clock, no disk."""
