"""Packeton beside nginx `proxy_cache`, over one origin, on loopback."""
