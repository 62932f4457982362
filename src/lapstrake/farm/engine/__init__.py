"""The distributed engine (DBOS Transact) behind one small interface."""
