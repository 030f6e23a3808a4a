"""iop4d: an observatory daemon that turns raw frames into calibrated magnitudes and polarisation."""

__version__ = "0.1.0"
