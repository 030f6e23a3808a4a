"""From IOP4 to iop4d: its catalogue, its results with their flags, its archives."""
