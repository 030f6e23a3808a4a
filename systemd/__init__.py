"""Units for systemd, with places to fill in between @s: see ``iop4d systemd install``."""
