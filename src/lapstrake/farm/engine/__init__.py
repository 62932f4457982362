"""The distributed engine (DBOS Transact) behind one small interface.

Its rows, claims, owner tokens and give-backs are the engine's; the loop that asks for work is ours:
the engine's own takes one run for each queue that it listens to, and a slot must build one thing at
a time, whichever of its queues that came from.
"""
