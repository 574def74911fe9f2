"""Figures and texts made of what happened."""
