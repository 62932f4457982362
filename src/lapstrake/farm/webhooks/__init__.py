"""Others who are told of what happens on the farm, by signed requests."""
