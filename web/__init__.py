"""The Flask site: what the daemon does, light curves, frames, nights, alerts, and an API.

It reads the site's database; what people ask for on it, the daemon does. It lives in a process of
its own, with or without a daemon beside it.
"""
