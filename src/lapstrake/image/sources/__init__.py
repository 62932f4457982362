"""Where an image's packages come from: a branch, or Nix."""
