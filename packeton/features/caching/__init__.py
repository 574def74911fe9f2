"""Filling and keeping the cache."""
