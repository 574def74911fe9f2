"""What Packeton does."""
