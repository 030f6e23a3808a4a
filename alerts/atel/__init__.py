"""Drafts of Astronomer's Telegrams, for people to read, change and send. Nothing here sends one.

:mod:`~iop4d.alerts.atel.gather` reads the store, :mod:`~iop4d.alerts.atel.text` writes what was
gathered, :mod:`~iop4d.alerts.atel.figure` draws it, :mod:`~iop4d.alerts.atel.drafts` stores both.
"""
