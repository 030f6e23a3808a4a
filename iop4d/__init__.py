"""iop4d turns raw frames, as they come, into calibrated magnitudes and polarisation."""

__version__ = "0.1.0"
