"""What one mirror is told to do by the settings."""

from datetime import timedelta

from attrs import frozen

__all__ = ["MirrorRules"]


@frozen(kw_only=True)
class MirrorRules:
    """The settings of one mirror, as far as they shape what it serves."""

    alias: str
    url: str
    """Upstream's base, without credentials."""
    fresh_for: timedelta
    dists: str | None
    """`mirrors`, `rewrite`, or None: dists are left to upstream."""
    notify: bool
    public: bool
    info: str | None
    lazy: bool = True
    """False: Composer 1 is given lists of all names, as upstream gives them."""
    disable_v1: bool = False
    disable_v2: bool = False
    dist_shasum: bool = False
    """Put the SHA-1 of dists that we hold into metadata that has none."""
    hide_source: bool = False
    max_names: int = 5000
    """Lists of more names are not made."""

    @property
    def shape(self) -> str:
        """A text that changes whenever our output of unchanged content does; part of every fingerprint."""
        return f"2 {self.dists} {self.notify} {self.info} {self.lazy} {self.disable_v1} {self.disable_v2}"

    @property
    def edits(self) -> str:
        """A text that changes whenever what we change in metadata does; part of the fingerprint of a package."""
        rewrites = self.dists == "rewrite"
        return f"2 {rewrites} {self.hide_source} {rewrites and self.dist_shasum}"
