"""Hooks: what forges tell us, and what we do about it."""
