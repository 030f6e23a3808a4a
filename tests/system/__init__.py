"""Tests of what the machine is asked for."""
