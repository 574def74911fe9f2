"""The sample of all settings."""

import re
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from packeton.config.loader import load
from packeton.config.reference import reference
from packeton.config.settings import Settings

SAMPLE = Path(__file__).parents[2] / "etc" / "packeton.yaml"


class ReferenceTests(SynchronousTestCase):
    """It cannot go stale."""

    def test_shipped(self) -> None:
        """etc/packeton.yaml is what the command prints."""
        self.assertEqual(reference(), SAMPLE.read_text())

    def test_means_the_defaults(self) -> None:
        """As it is it says nothing; with every option uncommented it gives the defaults."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "all.yaml"
            path.write_text(reference())
            self.assertEqual(load(environment={}).settings, load([path], environment={}).settings)
            path.write_text(re.sub(r"(?m)^#:", "  ", reference()))
            settings = load([path], environment={"ACME_PASSWORD": "x"}).settings
        plain = Settings()
        for section in ("data", "listen", "log", "upstream", "cache", "health_check"):
            self.assertEqual(getattr(plain, section), getattr(settings, section), section)
        self.assertEqual("https://repo.example.com", settings.mirrors["acme"].url.reveal())
        self.assertEqual("/files", settings.proxies["files"].path)
