"""``python -m iop4d`` is ``iop4d``."""

from iop4d.cli import main

if __name__ == "__main__":  # a process that Dask starts imports this module too
    main()
