"""What all of our servers share: how they listen, send files and events, and tell of requests."""
