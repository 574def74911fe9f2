"""HTTP towards upstream servers."""
