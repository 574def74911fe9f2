"""Mirrors of Composer repositories."""
