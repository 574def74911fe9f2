"""What GitHub's API says of packages, from an update to what is kept; a scripted API."""

from datetime import datetime, timedelta
from typing import Any

import orjson
from attrs import evolve

from packeton.config.settings import Secret
from packeton.errors import UpstreamFailed
from packeton.features.packages.accesses import Accesses
from packeton.features.packages.github import GitHub, Numbers, numbers_of
from packeton.features.packages.updating import Updates
from packeton.interfaces.credentials import Credential
from packeton.interfaces.packages import RepoType
from packeton.interfaces.sources import SourceFile
from packeton.interfaces.upstream import Headers, UpstreamLimits
from tests.features.packages.test_updating import A, B, UpdatingTestCase, at, found
from tests.support.packages import NEW_YEAR
from tests.support.scripted import ScriptedClient, ScriptedResponse, immediately

REPOSITORY = {"stargazers_count": 7, "subscribers_count": 3, "watchers_count": 7, "forks_count": 2, "open_issues_count": 1, "language": "PHP"}
README = '<div id="readme"><h1>Lib</h1><p>From the <a href="docs/a.md">API</a><script>x</script></p></div>'
TOKEN = {"github-oauth": {"github.com": "ghp_secret"}}


def about(status: int = 200, *, tag: str = '"r1"', **fields: Any) -> ScriptedResponse:
    return ScriptedResponse(status=status, headers=(("ETag", tag),), body=orjson.dumps({**REPOSITORY, **fields}))


def readme(status: int = 200, text: str = README, tag: str = '"m1"') -> ScriptedResponse:
    return ScriptedResponse(status=status, headers=(("ETag", tag),), body=text.encode())


class GitHubTests(UpdatingTestCase):
    """Updates of a package on GitHub."""

    def setUp(self) -> None:
        super().setUp()
        self.client = ScriptedClient()
        self.asked: list[tuple[str, Headers]] = []
        self.credential: Credential | None = None
        self.api_time: datetime | None = None
        self.switch(for_all=False)
        self.make(url="git@github.com:acme/lib.git", credential_id=1)
        self.source.findings = [at("branch:main", A, found("dev-main", "dev-main", A, document={"default-branch": True}))]
        self.source.report = {"default_branch": "main", "readmes": {"": SourceFile(path="README.md", content=b"From the file")}}

    def switch(self, *, for_all: bool) -> None:
        self.github = GitHub(
            Accesses(self.packages, self, {}), self.client_for, UpstreamLimits(max_body_bytes=10_000), immediately,  # type: ignore[arg-type]
            lambda: self.api_time or self.now, for_all,
        )  # fmt: skip
        self.updates = Updates(
            self.packages, self.versions, self.revisions,
            dict.fromkeys(RepoType, self.source), None, immediately, lambda: self.now, [self.listen],  # type: ignore[arg-type]
            forge=self.github,
        )  # fmt: skip

    async def get(self, credential_id: int) -> Credential | None:
        """Stand in for the records of credentials."""
        return self.credential

    def client_for(self, api: str, fields: Headers) -> ScriptedClient:
        self.asked.append((api, fields))
        return self.client

    def login(self, auth: dict[str, Any], key: str | None = None) -> None:
        self.credential = Credential(
            id=1, name="c", composer_auth=auth, ssh_key=None if key is None else Secret(key), created_at=NEW_YEAR
        )

    def update(self, *answers: Any) -> list[tuple[str, str | None]]:
        """Update with these answers, all of which must be asked for; return path and If-None-Match of each request."""
        self.client.answers, self.client.requests = list(answers), []
        self.run_update()
        self.assertEqual([], self.client.answers)
        tags = [dict(request.headers).get("If-None-Match") for request in self.client.requests]
        return list(zip((request.url.partition("/repos/")[2] for request in self.client.requests), tags, strict=True))

    def test_asked_and_asked_again(self) -> None:
        """README and numbers of the API, with the token; later only what changed, and an unchanged one is no news."""
        self.login({**TOKEN, "use-github-api": True})
        self.assertEqual([("acme/lib", None), ("acme/lib/readme", None)], self.update(about(), readme()))
        self.assertEqual(("https://api.github.com", (("Authorization", "token ghp_secret"),)), self.asked[0])
        self.assertEqual("application/vnd.github.html", dict(self.client.requests[1].headers)["Accept"])
        held = self.held()
        self.assertEqual(Numbers(stars=7, watchers=3, forks=2, issues=1), numbers_of(held))
        self.assertIn('<a href="https://github.com/acme/lib/blob/main/docs/a.md"', held.readme or "")
        self.assertNotIn("script", held.readme or "")
        self.assertEqual("PHP", held.language)
        revision = self.held().revision
        again = self.update(about(304), readme(304))
        self.assertEqual([("acme/lib", '"r1"'), ("acme/lib/readme", '"m1"')], again)
        self.assertEqual((revision, held.readme), (self.held().revision, self.held().readme))
        self.source.findings[0] = at("branch:main", B, found("dev-main", "dev-main", B, document={"default-branch": True}))
        self.update(about(stargazers_count=8, tag='"r2"'), readme(304))
        self.assertEqual((8, held.readme), (numbers_of(self.held()).stars, self.held().readme))

    def test_who_is_asked(self) -> None:
        """GitHub and what the credential calls so; by the switch or the credential, and never beside an ssh key."""
        enterprise = {"github-domains": ["git.example"], "github-oauth": {"git.example": "t"}, "use-github-api": True}
        for for_all, url, auth, key, api in (
            (False, "https://github.com/acme/lib", TOKEN, None, None),
            (True, "https://github.com/acme/lib", TOKEN, None, "https://api.github.com"),
            (True, "https://github.com/acme/lib", {}, None, "https://api.github.com"),
            (True, "https://github.com/acme/lib", {**TOKEN, "use-github-api": False}, None, None),
            (True, "https://github.com/acme/lib", {**TOKEN, "use-github-api": True}, "key", None),
            (True, "https://gitlab.com/acme/lib", {}, None, None),
            (True, "https://github.com/acme/lib/more", {}, None, None),
            (False, "ssh://git@git.example:22/acme/lib", enterprise, None, "https://git.example/api/v3"),
            (False, "http://git.example:8080/acme/lib.git", enterprise, None, "http://git.example:8080/api/v3"),
        ):  # fmt: skip
            self.asked.clear()
            self.login(auth, key)
            self.switch(for_all=for_all)
            self.ok(self.packages.change(self.package.id, lambda stored, url=url: evolve(stored, url=url)))
            self.update(*([] if api is None else [about(304), readme(304)]))
            self.assertEqual([] if api is None else [api], [one for one, _ in self.asked], (for_all, url, auth))

    def test_without_the_api(self) -> None:
        """What it does not give is taken from the repository; numbers stay, and the next answer counts again."""
        self.login({**TOKEN, "use-github-api": True})
        self.update(about(), readme())
        for answers, why in (
            ([about(401)], "does not accept the token"),
            ([about(404)], "has no repository acme/lib, or not for this login"),
            ([UpstreamFailed("no way")], "no way"),
            ([about(), readme(500)], "status 500"),
        ):  # fmt: skip
            self.update(*answers)
            self.assertIn(why, "\n".join(self.lines))
            self.assertNotIn("ghp_secret", "\n".join(self.lines))
            self.assertEqual((7, "<p>From the file</p>"), (numbers_of(self.held()).stars, self.held().readme))
        self.assertEqual(("acme/lib/readme", None), self.update(about(304), readme())[1])
        self.assertIn("API", self.held().readme or "")
        self.update(about(304), readme(404))
        self.assertIsNone(self.held().readme)
        self.login(TOKEN)
        self.update()
        self.assertEqual((None, "<p>From the file</p>"), (numbers_of(self.held()).stars, self.held().readme))

    def test_rate_limit(self) -> None:
        """Nothing is asked before the API allows it again, as it said or for a minute."""
        self.login({**TOKEN, "use-github-api": True})
        for status, headers, seconds in (
            (403, (("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", str(int((self.now + timedelta(hours=2)).timestamp())))), 3600),
            (429, (("Retry-After", "5400"),), 5400),
            (429, (), 60),
        ):  # fmt: skip
            self.update(ScriptedResponse(status=status, headers=headers, body=b""))
            began = self.now
            self.api_time = began + timedelta(seconds=seconds - 1)
            self.update()
            self.assertIn("wants to be left alone until", "\n".join(self.lines))
            self.api_time = began + timedelta(seconds=seconds + 1)
            self.update(about(), readme())
            self.api_time = None
        self.update(ScriptedResponse(headers=(("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", str(int(self.now.timestamp()) + 7200))), body=orjson.dumps(REPOSITORY)))
        self.assertIn("left alone", "\n".join(self.lines))
