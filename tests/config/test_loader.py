"""Settings: sources, merging, casts, and errors that name the option."""

import tempfile
from datetime import timedelta
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from packeton.config.loader import Loaded, is_loopback, load
from packeton.errors import ConfigurationInvalid


class LoaderTestCase(SynchronousTestCase):
    """A directory to write settings into."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def write(self, text: str, name: str = "packeton.yaml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def load(self, text: str, **environment: str) -> Loaded:
        return load([self.write(text)], environment=environment)

    def refused(self, text: str, **environment: str) -> str:
        with self.assertRaises(ConfigurationInvalid) as caught:
            self.load(text, **environment)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        return message


class DefaultTests(LoaderTestCase):
    """Without any configuration."""

    def test_nothing(self) -> None:
        """One public mirror of packagist, on loopback."""
        settings = load(environment={}).settings
        self.assertEqual(("tcp:8080:interface=127.0.0.1",), settings.listen)
        self.assertEqual(["packagist"], list(settings.mirrors))
        mirror = settings.mirrors["packagist"]
        self.assertEqual("https://repo.packagist.org", mirror.url.reveal())
        self.assertTrue(mirror.public_access)
        self.assertTrue(mirror.parent_notify)

    def test_not_public_elsewhere(self) -> None:
        """The same is not public when anything but loopback is listened on."""
        settings = load(environment={}, listen=["tcp:8080:interface=127.0.0.1", "tcp:8081"]).settings
        self.assertFalse(settings.mirrors["packagist"].public_access)

    def test_loopback(self) -> None:
        """What counts as loopback."""
        for endpoint in ("tcp:1:interface=127.0.0.1", "tcp:1:interface=\\:\\:1", "unix:/run/x", "tcp:1:interface=localhost"):
            self.assertTrue(is_loopback(endpoint), endpoint)
        for endpoint in ("tcp:80", "tcp:80:interface=0.0.0.0", "tcp:80:interface=10.0.0.1", "systemd:domain=INET:index=0"):
            self.assertFalse(is_loopback(endpoint), endpoint)


class SourceTests(LoaderTestCase):
    """Files, directories, environment, command line."""

    def test_directory(self) -> None:
        """Files of a directory merge in name order: maps deeply, the rest replaces."""
        self.write("packeton: {mirrors: {a: {url: 'https://a.example/', sync_interval: 5}}}", "10-a.yaml")
        self.write("packeton: {mirrors: {a: {sync_interval: 7}, b: {url: 'https://b.example'}}}", "20-b.yml")
        self.write("packeton: {nonsense: 1}", "30-c.txt")
        loaded = load([self.folder], environment={})
        self.assertEqual({"a", "b"}, set(loaded.settings.mirrors))
        self.assertEqual(7, loaded.settings.mirrors["a"].sync_interval)
        self.assertEqual("https://a.example", loaded.settings.mirrors["a"].url.reveal())
        self.assertTrue(loaded.origins["packeton.mirrors.a.sync_interval"].endswith("20-b.yml:1"))

    def test_priority(self) -> None:
        """Command line over environment over files."""
        path = self.write("packeton: {data: /file, listen: ['tcp:1']}")
        environment = {"PACKETON_DATA": "/env", "PACKETON_LISTEN": "tcp:2; tcp:3", "PACKETON_CONFIG": str(path)}
        settings = load(environment=environment).settings
        self.assertEqual((Path("/env"), ("tcp:2", "tcp:3")), (settings.data, settings.listen))
        loaded = load(environment=environment, data="/line", listen=["tcp:4"])
        self.assertEqual((Path("/line"), ("tcp:4",)), (loaded.settings.data, loaded.settings.listen))
        self.assertEqual("command line", loaded.origins["packeton.data"])

    def test_casts(self) -> None:
        """%env()% with its casts, parameters, and percent signs."""
        loaded = self.load(
            """
parameters: {host: x.example, 'env(MISSING)': '9', port: '%env(PORT)%'}
packeton:
    health_check: '%env(bool:HEALTH)%'
    public_url: 'https://%host%:%port%/%env(string:PATH_PART)%'
    trusted_hosts: '%env(json:HOSTS)%'
    trusted_proxies: '%env(csv:PROXIES)%'
    metadata: {info_cmd_message: '100%% %env(default:host:NOTHING)%'}
    mirrors:
        a:
            url: '%env(resolve:URL)%'
            sync_interval: '%env(int:MISSING)%'
            composer_auth: '%env(AUTH)%'
""",
            HEALTH="off", PORT="81", PATH_PART="sub", HOSTS='["a","b"]', PROXIES="10.0.0.0/8,::1", URL="https://%host%/r",
            AUTH='{"bearer": {"x.example": "t"}}',
        )  # fmt: skip
        settings = loaded.settings
        self.assertFalse(settings.health_check)
        self.assertEqual("https://x.example:81/sub", settings.public_url)
        self.assertEqual(("a", "b"), settings.trusted_hosts)
        self.assertEqual(("10.0.0.0/8", "::1"), settings.trusted_proxies)
        self.assertEqual("100% x.example", settings.metadata.info_cmd_message)
        self.assertEqual("https://x.example/r", settings.mirrors["a"].url.reveal())
        self.assertEqual(9, settings.mirrors["a"].sync_interval)
        self.assertEqual({"bearer": {"x.example": "t"}}, settings.mirrors["a"].composer_auth)

    def test_dotenv(self) -> None:
        """The order of .env files; the real environment wins; quotes and references."""
        self.write("A=1\nB=1\nC=1\nD=1\nexport E='raw $A' # why\n", ".env")
        self.write("B=2\nC=2\nD=2\n", ".env.local")
        self.write('C=3\nD=3\nF="${A} and\\n\\$x"\n', ".env.prod")
        self.write("D=4\n", ".env.prod.local")
        names = "%env(A)%%env(B)%%env(C)%%env(D)%%env(G)%"
        text = f"packeton: {{metadata: {{info_cmd_message: '{names} %env(E)% %env(F)%'}}}}"
        shown = self.load(text, G="real", A="0").settings.metadata.info_cmd_message
        self.assertEqual("0234real raw $A 0 and\n$x", shown)

    def test_conditional_blocks(self) -> None:
        """A block under `resolve` counts only if its expression holds."""
        text = """
packeton: {data: /plain}
resolve:
    one: {expression: 'env("S3") == "yes" && !env("OFF")', packeton: {data: /s3}}
    two: {expression: 'env("NO")', packeton: {data: /no}}
"""
        self.assertEqual(Path("/plain"), self.load(text).settings.data)
        self.assertEqual(Path("/s3"), self.load(text, S3="yes", OFF="0").settings.data)
        self.assertIn("resolve.one.expression", self.refused("resolve: {one: {expression: 'open(1)'}}"))

    def test_trust_from_the_environment(self) -> None:
        """TRUSTED_PROXIES and TRUSTED_HOSTS are the reference's comma lists."""
        settings = load(environment={"TRUSTED_PROXIES": "10.0.0.1, 10.1.0.0/16", "TRUSTED_HOSTS": "^a$"}).settings
        self.assertEqual(("10.0.0.1", "10.1.0.0/16"), settings.trusted_proxies)
        self.assertEqual(("^a$",), settings.trusted_hosts)

    def test_units(self) -> None:
        """Durations and sizes carry their units."""
        settings = self.load("packeton: {upstream: {idle_timeout: 2m, max_dist_bytes: 1.5GiB}}").settings
        self.assertEqual(timedelta(minutes=2), settings.upstream.idle_timeout)
        self.assertEqual(3 * 2**29, settings.upstream.max_dist_bytes)


class RefusalTests(LoaderTestCase):
    """One line that begins with the option's path; no secret in it."""

    def test_messages(self) -> None:
        """Wrong keys, wrong types, wrong values."""
        mirror = "packeton: {mirrors: {a: {url: 'https://a.example', %s}}}"
        cases = {
            "packeton: {mirorrs: {}}": "packeton.mirorrs: unknown option; did you mean mirrors?",
            mirror % "urll: x": "packeton.mirrors.a.urll: unknown option; did you mean url?",
            "packeton: {mirrors: {a: {}}}": "packeton.mirrors.a.url: is missing",
            "packeton: {mirrors: [1]}": "packeton.mirrors: must be a map, not a list",
            "packeton: 3": "packeton: must be a map",
            "packeton: {upstream: {max_redirects: ten}}": 'packeton.upstream.max_redirects: must be a whole number, not "ten"',
            "packeton: {upstream: {max_redirects: -1}}": "packeton.upstream.max_redirects: must not be negative",
            "packeton: {upstream: {idle_timeout: 30}}": "packeton.upstream.idle_timeout: must be a duration with its unit",
            "packeton: {cache: {max_bytes: 5}}": "packeton.cache.max_bytes: must be a size with its unit",
            "packeton: {health_check: maybe}": 'packeton.health_check: must be true or false, not "maybe"',
            "packeton: {listen: ['banana']}": "packeton.listen: banana is no endpoint",
            "packeton: {log: {format: xml}}": "packeton.log.format: must be one of text, json",
            "packeton: {trusted_proxies: [x]}": "packeton.trusted_proxies: x is no address or range",
            "packeton: {trusted_hosts: ['(']}": "packeton.trusted_hosts: ( is no regular expression",
            mirror % "dist_urls: both": "packeton.mirrors.a.dist_urls: must be mirrors or rewrite",
            mirror % "http_basic: {username: u}": "packeton.mirrors.a.http_basic.password: is missing",
            mirror % "composer_auth: '{'": "packeton.mirrors.a.composer_auth: must be a map or JSON text",
            mirror % "composer_auth: {magic: {x: y}}": "packeton.mirrors.a.composer_auth: magic.x",
            "packeton: {mirrors: {'a/b': {url: 'https://x'}}}": "packeton.mirrors.a/b: a name is",
            "packeton: {proxies: {f: {url: 'https://x', path: /mirror/f}}}": "packeton.proxies.f.path: /mirror/f lies in",
            "packeton: {proxies: {f: {url: 'https://x', path: files}}}": "packeton.proxies.f.path: must be a path",
            "framework: {}": "framework: unknown section",
            "packeton: {data: '%env(NOPE)%'}": "packeton.data: the environment has no NOPE",
            "packeton: {data: '%nope%'}": "packeton.data: there is no parameter nope",
            "packeton: {data: /a, data: /b}": "packeton.data: stands twice",
        }
        for text, expected in cases.items():
            message = self.refused(text)
            self.assertTrue(message.startswith(expected), f"{text}: {message}")

    def test_not_supported_yet(self) -> None:
        """Options of the reference that do not work yet are refused, unless they ask for nothing."""
        for text in (
            "packeton: {archive: true}", "packeton: {anonymous_access: true}", "packeton: {metadata: {format: only_v1}}",
            "packeton: {integrations: {x: {}}}", "packeton: {web_protection: {allow_ips: '10.0.0.1'}}",
            "packeton: {mirrors: {a: {url: 'https://x', sync_lazy: false}}}",
            "packeton: {mirrors: {a: {url: 'https://x', available_packages: [a/b]}}}",
        ):  # fmt: skip
            self.assertIn("not supported yet", self.refused(text))
        self.load("packeton: {archive: false, github_no_api: true, mirrors: {a: {url: 'https://x', sync_lazy: true}}}")

    def test_files(self) -> None:
        """Missing and broken files are named, with the line."""
        with self.assertRaises(ConfigurationInvalid) as caught:
            load([self.folder / "nope.yaml"], environment={})
        self.assertIn("nope.yaml: No such file", str(caught.exception))
        self.assertIn("packeton.yaml:2", self.refused("packeton:\n  a: [1"))
        self.assertIn("must be a map", self.refused("- 1"))

    def test_no_secret(self) -> None:
        """Neither addresses with a password nor credentials are repeated."""
        for text in (
            "packeton: {mirrors: {a: {url: 'ftp://u:tellnobody@x'}}}",
            "packeton: {mirrors: {a: {url: 'https://u:tellnobody@x?y'}}}",
            "packeton: {mirrors: {a: {url: 'https://x', http_basic: {username: u, password: [tellnobody]}}}}",
            "packeton: {mirrors: {a: {url: 'https://x', composer_auth: 'tellnobody'}}}",
            "packeton: {upstream: {https_proxy: [tellnobody]}}",
        ):
            self.assertNotIn("tellnobody", self.refused(text))
        loaded = self.load("packeton: {mirrors: {a: {url: 'https://u:tellnobody@x'}}}")
        self.assertNotIn("tellnobody", repr(loaded))
