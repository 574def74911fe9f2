"""Mirrors: what is chosen, enabled, approved and patched; how far synchronisation has come; upstream's names."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, String, Table, Text

from packeton.adapters.database.tables.base import Instant, metadata

__all__ = ["mirror_choices", "mirror_listings", "mirror_packages", "mirror_patches", "mirror_syncs"]

mirror_choices = Table(
    "mirror_choices",
    metadata,
    Column("mirror", String(64), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("strict", Boolean, nullable=False),
    Column("sync", Boolean, nullable=False),
    Column("disable_v2", Boolean, nullable=False),
)

mirror_packages = Table(
    "mirror_packages",
    metadata,
    Column("mirror", String(64), primary_key=True),
    Column("name", String(191), primary_key=True),
    Column("enabled_at", Instant),
    Column("approved_at", Instant),
    Column("first_requested", Instant),
    Column("last_requested", Instant),
    Column("requests", Integer, nullable=False),
)

mirror_patches = Table(
    "mirror_patches",
    metadata,
    Column("mirror", String(64), primary_key=True),
    Column("name", String(191), primary_key=True),
    Column("version", String(191), primary_key=True),
    Column("strategy", String(16), nullable=False),
    Column("patch", JSON, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

mirror_syncs = Table(
    "mirror_syncs",
    metadata,
    Column("mirror", String(64), primary_key=True),
    Column("run", Integer, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("wish", String(16), nullable=False),
    Column("cursor", String(191), nullable=False),
    Column("changes_since", BigInteger, nullable=False),
    Column("root", String(64), nullable=False),
    Column("listing", String(64), nullable=False),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("began_at", Instant),
    Column("ended_at", Instant),
    Column("synced_at", Instant),
    Column("error", Text),
    Column("asked", String(16), nullable=False),
    Column("owner", String(128)),
    Column("owned_until", Instant),
)

mirror_listings = Table(
    "mirror_listings",
    metadata,
    Column("mirror", String(64), primary_key=True),
    Column("name", String(191), primary_key=True),
    Column("digest", String(128), nullable=False),
    Column("fetched", String(128), nullable=False),
    Column("fetched_run", Integer, nullable=False),
    Column("run", Integer, nullable=False),
)
