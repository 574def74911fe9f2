"""
The composition root: only here are implementations picked.

`server` puts a whole server together, the other modules its parts; a command imports the parts that it needs, since the
whole takes seconds to import.
"""
