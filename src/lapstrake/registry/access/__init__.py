"""Who may do what: passwords, tokens, and the gate that asks for them."""
