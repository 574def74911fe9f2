"""What Composer's documents mean."""
