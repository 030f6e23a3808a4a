"""Servers and proxies that misbehave as told."""
