"""Security advisories about what our packages have locked."""
