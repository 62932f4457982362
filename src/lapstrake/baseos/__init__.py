"""The base OS: bootstrapped, unpacked or taken from an image; updated in a copy."""
