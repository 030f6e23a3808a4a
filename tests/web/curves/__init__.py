"""Tests of the arrays behind light curves."""
