"""The REST API: JSON in, JSON out. Its description is `openapi.yaml`, and tests hold the routes against it."""
