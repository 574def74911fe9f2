"""The ports between features and adapters."""
