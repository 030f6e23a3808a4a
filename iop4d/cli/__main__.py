"""``python -m iop4d.cli`` is ``iop4d``."""

from iop4d.cli import main

main()
