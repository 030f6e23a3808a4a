"""Raw FITS files: their cards, a bounded check, reading, and atomic writing."""
