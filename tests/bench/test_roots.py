"""The benchmark of roots runs, on a small repository."""

import tempfile
from pathlib import Path
from unittest import TestCase

from tests.bench.roots import Bench


class RootBenchTests(TestCase):
    """What is measured is there."""

    def test_small(self) -> None:
        """Every figure once; what is in memory costs less than making it."""
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        bench = Bench(Path(holder.name), 25, 3)
        self.addCleanup(bench.engine.dispose)
        figures = {measured.name: measured.milliseconds for measured in bench.run()}
        self.assertEqual(14, len(figures))
        self.assertLess(figures["root for Composer 1, full"], figures["root for Composer 1, full, nothing in memory"])
