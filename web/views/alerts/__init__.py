"""Alerts: episodes, rules, messages, summaries and drafts."""

from iop4d.web.views.alerts import drafts, episodes, mailbox, messages, rules, summaries

BLUEPRINTS = (drafts.blueprint, episodes.blueprint, mailbox.blueprint, messages.blueprint,
              rules.blueprint, summaries.blueprint)
