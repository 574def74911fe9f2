"""What packages are read with."""

import json
import tempfile
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from packeton.assembly.packages import common_auth
from packeton.config.settings import Settings
from packeton.errors import ConfigurationInvalid


class CommonAuthTests(SynchronousTestCase):
    """Logins for packages that have no credential of their own."""

    def test_composer_home(self) -> None:
        """config.json, over it auth.json, over it the settings; hosts add up."""
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        home = Path(holder.name)
        environment = {"APP_COMPOSER_HOME": str(home)}
        self.assertEqual({}, common_auth(Settings(), environment))
        (home / "config.json").write_text(json.dumps({"config": {"bearer": {"a": "1", "b": "1", "c": "1"}, "cache-dir": "/x"}}))
        (home / "auth.json").write_text(json.dumps({"bearer": {"b": "2", "c": "2"}, "gitlab-token": {"g": "t"}}))
        settings = evolve(Settings(), composer_auth={"bearer": {"c": "3"}})
        wanted = {"bearer": {"a": "1", "b": "2", "c": "3"}, "gitlab-token": {"g": "t"}}
        self.assertEqual(wanted, common_auth(settings, environment))
        self.assertEqual({"bearer": {"c": "3"}}, common_auth(settings, {}))
        for text in ("{", "[1]"):
            (home / "auth.json").write_text(text)
            with self.assertRaises(ConfigurationInvalid):
                common_auth(settings, environment)
