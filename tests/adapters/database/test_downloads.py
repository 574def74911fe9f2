"""DownloadRecords on SQLite in memory."""

from datetime import date, timedelta
from unittest import TestCase

from packeton.adapters.database.downloads import DownloadRecords
from packeton.interfaces.downloads import Install
from tests.support.access import MemoryAccess

TODAY = date(2026, 6, 1)


class DownloadRecordsTests(TestCase):
    """What is forgotten, and what is not."""

    def test_forget_days(self) -> None:
        """Old days of versions go; days of packages, months and totals stay."""
        access = MemoryAccess()
        self.addCleanup(access.close)
        records, long_ago = DownloadRecords(access.database), TODAY - timedelta(days=40)
        for day in (long_ago, TODAY):
            access.done(records.add([Install(7, "1.0.0.0", 3)], day))
        self.assertEqual(1, access.done(records.forget_days(TODAY - timedelta(days=30))))
        self.assertEqual({TODAY: 3}, access.done(records.daily(7, "1.0.0.0", long_ago, TODAY)))
        self.assertEqual({long_ago: 3, TODAY: 3}, access.done(records.daily(7, "", long_ago, TODAY)))
        totals = access.done(records.of_versions(7, TODAY))["1.0.0.0"]
        self.assertEqual((6, 3), (totals.total, totals.daily))
        self.assertEqual(3, access.done(records.of_versions(7, long_ago))["1.0.0.0"].monthly)
