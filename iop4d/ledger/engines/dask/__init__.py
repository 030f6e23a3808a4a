"""Workers of Dask distributed, on any number of machines.

Dask is transport and scheduling alone: each of its workers holds worker processes of iop4d
(``engines.process``), so what a frame does to a worker costs that one job wherever it is. See
docs/decisions/0019-dask-engine.md.
"""
