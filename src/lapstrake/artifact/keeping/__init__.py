"""The artifacts that are on this machine, and what is noted of them."""
