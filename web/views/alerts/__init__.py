"""Alerts: episodes, rules, messages, summaries and drafts."""

from iop4d.web.views.alerts import drafts, episodes, mailbox, summaries

BLUEPRINTS = (drafts.blueprint, episodes.blueprint, mailbox.blueprint, summaries.blueprint,)
