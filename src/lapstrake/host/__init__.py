"""The host machine: the only place with processes, mounts, system calls, locks and clocks."""
