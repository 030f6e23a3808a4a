"""The slow checks: accuracy, speed, chaos, alerts."""
