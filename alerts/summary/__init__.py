"""The summary of a night: what was observed, what came of it, and what went wrong.

There is one to a night. Its row of the database decides whether it was made, and is written in one
transaction with the messages that carry it (:mod:`~iop4d.alerts.summary.scheduler`).
"""
