"""The domain: no Twisted, no clock, no files, no sockets."""
