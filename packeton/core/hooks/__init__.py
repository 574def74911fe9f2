"""Hooks: what forges send us."""
