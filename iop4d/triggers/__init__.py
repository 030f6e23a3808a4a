"""Triggers: notices from elsewhere that a source flares, which raise it to a priority target."""
