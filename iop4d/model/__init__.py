"""The nouns of iop4d. Imports nothing of the project, and no heavy library."""
