"""Every change of a task, a group or a worker, whoever asks for it."""
