"""The settings: their shape and their reading."""
