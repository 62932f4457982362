"""How the packages of a closure are put into the layers of an image; pure."""
