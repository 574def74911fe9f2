"""What Composer clients ask for."""
