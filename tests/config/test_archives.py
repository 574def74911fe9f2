"""The settings of archives and metadata."""

import tempfile
from pathlib import Path
from unittest import TestCase

from packeton.config.loader import load
from packeton.config.settings import Settings
from packeton.errors import ConfigurationInvalid


class ArchiveSettingsTests(TestCase):
    """As the reference's files have them."""

    def load(self, text: str, **environment: str) -> Settings:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        file = Path(folder.name) / "packeton.yaml"
        file.write_text(text)
        return load([file], environment=environment).settings

    def test_spellings_of_archive(self) -> None:
        """true is all flags, false none; one may be text; nothing is all."""
        for text, expected in {
            "{archive: true}": ("mirror", "replace"),
            "{archive: false}": (),
            "{archive: mirror}": ("mirror",),
            "{archive: [replace]}": ("replace",),
            "{}": ("mirror", "replace"),
        }.items():
            self.assertEqual(expected, self.load(f"packeton: {text}").archive)

    def test_places(self) -> None:
        """Below the data directory, unless files or the environment say otherwise; files win."""
        settings = self.load("packeton: {data: /d}")
        self.assertEqual((Path("/d/zipball"), None), (settings.archive_options.basedir, settings.archive_options.endpoint))
        self.assertEqual((("/d/artifacts",), Path("/d/artifact_storage")), (settings.artifacts.allowed_paths, settings.artifacts.artifact_storage))
        environment = {"PACKAGIST_DIST_PATH": "/z", "PACKAGIST_DIST_HOST": "https://zips.example/"}
        settings = self.load("packeton: {data: /d}", **environment)
        self.assertEqual((Path("/z"), "https://zips.example"), (settings.archive_options.basedir, settings.archive_options.endpoint))
        settings = self.load("packeton: {archive_options: {basedir: /mine}}", **environment)
        self.assertEqual((Path("/mine"), "https://zips.example"), (settings.archive_options.basedir, settings.archive_options.endpoint))

    def test_refused(self) -> None:
        """Bad values are named."""
        for text, expected in {
            "{archive: [mirror, replac]}": "packeton.archive: replac: must be of mirror, replace",
            "{metadata: {format: v3}}": "packeton.metadata.format: v3: must be of auto",
            "{archive_options: {format: rar}}": "packeton.archive_options.format: rar: must be of zip, tar",
            "{archive_options: {include_archive_checksum: true}}": "packeton.archive_options.include_archive_checksum: needs",
            "{archive_options: {endpoint: 'ftp://x'}}": "packeton.archive_options.endpoint: must be an address",
            "{archive_options: {endpoint: 'https://u:p@x'}}": "packeton.archive_options.endpoint: must not hold",
            "{artifacts: {support_types: [zip, rar]}}": "packeton.artifacts.support_types: rar: must be of",
        }.items():
            with self.assertRaises(ConfigurationInvalid) as caught:
                self.load(f"packeton: {text}")
            self.assertTrue(str(caught.exception).startswith(expected), str(caught.exception))
