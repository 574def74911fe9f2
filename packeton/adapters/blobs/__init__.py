"""Byte storage."""
