"""What Packeton does its work with."""
