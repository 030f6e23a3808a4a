"""Rules, the outbox and the channels: who is told what, once."""
