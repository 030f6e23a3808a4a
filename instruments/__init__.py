"""Instruments and telescopes: one file of facts and a few functions for each.

An instrument module holds ``INSTRUMENT``; it is found by being in this folder, or through the
entry point group ``iop4d.instruments``. Plain cameras come from the site file.
"""
