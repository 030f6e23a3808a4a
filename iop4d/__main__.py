"""``python -m iop4d`` is ``iop4d``."""

from iop4d.cli import main

main()
