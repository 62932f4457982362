"""Who may do what: tokens, sessions of browsers, scopes, rates; the gate before all requests."""
