"""A simulated observatory: a sky, a camera and nights of frames whose every star is known."""
