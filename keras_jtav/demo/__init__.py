"""A page to play with: drop a picture or a post, and see what a model answers."""
