"""The Last-Modified of what we send: upstream's, until our own output changes; it never goes back nor repeats."""

from collections import OrderedDict
from datetime import datetime, timedelta

from attrs import define, field
from twisted.logger import Logger

from packeton.core.caching.entries import Publication
from packeton.errors import StorageFailed
from packeton.interfaces.caching import IPublicationRecords

__all__ = ["Publications"]

log = Logger()

SECOND = timedelta(seconds=1)


@define
class Publications:
    """
    Dates of documents, by key.

    Composer trusts an equal Last-Modified blindly and sends back the string it got, so other content must have another,
    later date. Source: field observation of Composer 1.10 to 2.10; RFC 9110 section 8.8.2.
    """

    _records: IPublicationRecords
    _max_remembered: int = 50_000
    _known: OrderedDict[str, Publication] = field(factory=OrderedDict, init=False)

    async def last_modified(self, key: str, fingerprint: str, upstream: datetime) -> datetime:
        """
        Return the date to send with the content that *fingerprint* stands for.

        Args:
            fingerprint: Digest of the content and of every setting that shapes our output.
            upstream: When upstream says that it changed, or when we first saw it (aware UTC).
        """
        if (known := self._same(key, fingerprint)) is not None:
            return known.last_modified
        found = await self._recorded(key)  # also where we know one: another process may have sent others since
        if (known := self._same(key, fingerprint)) is not None:  # another request was quicker
            return known.last_modified
        both = [one for one in (found, self._known.get(key)) if one is not None]
        last = max(both, key=lambda one: one.last_modified, default=None)
        if last is not None and last.fingerprint == fingerprint:
            self._remember(last)
            return last.last_modified
        moment = upstream.replace(microsecond=0)
        if last is not None:
            moment = max(moment, last.last_modified + SECOND)
        publication = Publication(key=key, fingerprint=fingerprint, last_modified=moment)
        self._remember(publication)
        try:
            await self._records.save(publication)
        except StorageFailed as error:
            log.warn("The date of {key} could not be recorded: {error}", key=key, error=str(error))
        return moment

    def _same(self, key: str, fingerprint: str) -> Publication | None:
        """Return the latest that this process knows of, if it is of this content."""
        known = self._known.get(key)
        if known is None or known.fingerprint != fingerprint:
            return None
        self._known.move_to_end(key)
        return known

    async def _recorded(self, key: str) -> Publication | None:
        try:
            return await self._records.find(key)
        except StorageFailed as error:
            log.warn("The date of {key} could not be read: {error}", key=key, error=str(error))
            return None

    def _remember(self, publication: Publication) -> None:
        self._known[publication.key] = publication
        self._known.move_to_end(publication.key)
        if len(self._known) > self._max_remembered:
            self._known.popitem(last=False)
