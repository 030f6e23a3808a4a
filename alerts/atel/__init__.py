"""Drafts of Astronomer's Telegrams: gathered from results, written, drawn and kept for people.

Nothing here sends anything. :mod:`~iop4d.alerts.atel.gather` reads the store,
:mod:`~iop4d.alerts.atel.words` makes sentences of it, :mod:`~iop4d.alerts.atel.draft` chooses those
that fit into a telegram, :mod:`~iop4d.alerts.atel.drafts` keeps what was made.
"""
