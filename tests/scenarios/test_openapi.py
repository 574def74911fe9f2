"""Thousands of odd requests, made by schemathesis from the description of the API, to a real server."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.scenarios.test_api import ApiTestCase
from tests.scenarios.test_packages import TOKEN
from tests.support.people import Browser, Records

EXAMPLES = 6
UNHELPFUL = frozenset({"createPackage", "deletePackage", "deleteVersion", "deleteUser", "createUser", "importPackages", "checkImport"})
"""Operations that ask other servers, or remove what the others need."""


class OpenApiTests(ApiTestCase):
    """The document that the server gives out, against that server."""

    names = ("acme/lib",)

    def test_document(self) -> None:
        """For maintainers, with the address that they use."""
        self.assertEqual([{"url": self.server.url}], self.get("/apidoc.json", "dev").json()["servers"])
        self.assertEqual((403, 401), (self.get("/apidoc.json", "user2").status, self.get("/apidoc.json", None).status))

    def test_page(self) -> None:
        """To read, for maintainers who signed in; without scripts, under a policy that allows none."""
        records = Records(self.server.data)
        self.addCleanup(records.close)
        pages = []
        for name, roles in (("page-dev", {"ROLE_MAINTAINER"}), ("page-user", {"ROLE_FULL_CUSTOMER"})):
            records.user(name, roles=frozenset(roles))
            browser = Browser(self.server.url)
            browser.sign_in(name)
            pages.append(browser.get("/apidoc"))
        self.assertEqual((200, 403, 303), (pages[0].status, pages[1].status, self.get("/apidoc", None).status))
        text = pages[0].body.decode()
        self.assertNotIn("<script", text)
        self.assertNotIn("style=", text)
        self.assertNotIn("unsafe", pages[0].headers["content-security-policy"])
        for words in ("/api/create-package", "customVersions", f"{self.server.url}/apidoc.json"):
            self.assertIn(words, text)

    def test_conformance(self) -> None:
        """No operation fails or answers in another form than described, whatever it is sent."""
        schema = schemathesis.openapi.from_dict(self.get("/apidoc.json").json())
        tried = 0
        for found in schema.get_all_operations():
            operation: Any = found.ok()
            if operation.definition.raw["operationId"] in UNHELPFUL:
                continue
            tried += 1
            with self.subTest(operation=operation.label):
                self.try_out(operation)
        self.assertGreater(tried, 30)

    def try_out(self, operation: Any) -> None:
        @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def once(case: Any) -> None:
            case.call_and_validate(base_url=self.server.url, auth=("admin", TOKEN + "1"), timeout=20, checks=[not_a_server_error, response_schema_conformance])

        once()
