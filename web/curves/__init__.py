"""Light curves: what is chosen of them, their points as arrays, thinned, packed, and drawn."""
