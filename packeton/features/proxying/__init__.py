"""A plain HTTP cache in front of one origin."""
