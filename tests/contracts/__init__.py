"""One mix-in per port, run by every implementation."""
