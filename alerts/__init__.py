"""Alerts: rules that fire on results, the outbox of messages, and the channels that send them.

A rule is judged in the transaction that writes the results (:mod:`~iop4d.alerts.engine`); an edge
leaves rows in the outbox, and sending them is a second step (:mod:`~iop4d.alerts.relay`).
"""
