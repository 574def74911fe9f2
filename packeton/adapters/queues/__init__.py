"""Signals and locks between processes."""
