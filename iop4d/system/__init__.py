"""What the machine asks of a service: lock, notify protocol, units."""
