"""``iop4d doctor``: what is wrong with a site or its machine, and what to do about it."""
