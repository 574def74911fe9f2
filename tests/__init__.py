"""Tests, file for file like the package."""
