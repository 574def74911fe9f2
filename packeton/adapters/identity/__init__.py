"""Other systems that know who somebody is."""
