"""Our own packages: read from their sources, published, archived."""
