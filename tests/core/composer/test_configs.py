"""Composer's configuration as part of a credential."""

import json
from unittest import TestCase

from packeton.core.composer.configs import FORBIDDEN, auth_sections, read_config
from packeton.errors import Invalid

LOGIN = {"http-basic": {"git.example.com": {"username": "u", "password": "geheim"}}}


class ConfigTests(TestCase):
    """What is taken, what is refused."""

    def test_taken(self) -> None:
        """auth.json, config.json, keys that do no harm; only the logins are credentials."""
        both = {**LOGIN, "gitlab-domains": ["gitlab.example.com"], "process-timeout": 600}
        for document in (LOGIN, both):
            self.assertEqual(document, read_config(json.dumps(document)))
            self.assertEqual(document, read_config(json.dumps({"config": document})))
            self.assertEqual(LOGIN, auth_sections(document))

    def test_forbidden(self) -> None:
        """Each of the reference's forbidden keys is named, its value is not."""
        self.assertEqual(15, len(FORBIDDEN))
        for key in FORBIDDEN:
            with self.assertRaisesRegex(Invalid, f"^{key}: must not") as caught:
                read_config(json.dumps({**LOGIN, key: "tellnobody"}))
            self.assertNotIn("tellnobody", str(caught.exception))

    def test_refused(self) -> None:
        """With the place, and never with a secret."""
        for document, message in (
            ({}, "holds no login"), ({"http-basic": {}}, "holds no login"), ({**LOGIN, "odd": 1}, "odd: has no meaning"), ([], "JSON object"),
            ({"http-basic": {"h": {"username": "geheim"}}}, "http-basic.h: is not complete"), ({"bearer": "geheim"}, "bearer: must be a map"),
            ({**LOGIN, "gitlab-domains": "geheim"}, "gitlab-domains: cannot"), ({"bearer": {"h": "geheim\r\nX: y"}}, "bearer.h"),
        ):  # fmt: skip
            with self.subTest(message), self.assertRaisesRegex(Invalid, message) as caught:
                read_config(json.dumps(document))
            self.assertNotIn("geheim", str(caught.exception))
        for text, message in (("{geheim", "broken JSON"), ("x" * 70_000, "too long")):
            with self.assertRaisesRegex(Invalid, message) as caught:
                read_config(text)
            self.assertNotIn("geheim", str(caught.exception))
