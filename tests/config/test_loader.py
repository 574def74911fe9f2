"""Settings: sources, merging, casts, and errors that name the option."""

import json
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
    mirrors:
        a:
            url: '%env(resolve:URL)%'
            sync_interval: '%env(int:MISSING)%'
            info_cmd_message: '100%% %env(default:host:NOTHING)%'
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
        self.assertEqual("100% x.example", settings.mirrors["a"].info_cmd_message)
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
        message = f"{names} %env(E)% %env(F)%"
        text = f"packeton: {{mirrors: {{a: {{url: 'https://x', info_cmd_message: '{message}'}}}}}}"
        shown = self.load(text, G="real", A="0").settings.mirrors["a"].info_cmd_message
        self.assertEqual("0234real raw $A 0 and\n$x", shown)

    def test_conditional_blocks(self) -> None:
        """A block under `resolve` counts only if its expression holds, and less than what is said plainly."""
        text = """
parameters: {where: /plain}
packeton: {health_check: true, mirrors: {a: {url: 'https://a.example'}}}
resolve:
    one:
        expression: 'env("S3") == "yes" && !env("OFF")'
        parameters: {where: /not-this, other: shown}
        packeton: {data: '%where%/s3', health_check: false, mirrors: {a: {url: 'https://b.example', logo: '%other%'}}}
    more:
        two: {expression: 'env("NO")', packeton: {data: /no}}
        three: {expression: 'env("S3")', packeton: {data: /later, log: {level: debug}}}
"""
        self.assertEqual(Path("var"), self.load(text).settings.data)
        loaded = self.load(text, S3="yes", OFF="0")
        settings, mirror = loaded.settings, loaded.settings.mirrors["a"]
        self.assertEqual((Path("/plain/s3"), True, "debug"), (settings.data, settings.health_check, settings.log.level))
        self.assertEqual(("https://a.example", "shown"), (mirror.url.reveal(), mirror.logo))
        self.assertTrue(loaded.origins["packeton.log.level"].endswith("packeton.yaml:11"), loaded.origins)

    def test_one_block(self) -> None:
        """`resolve` may be a block itself."""
        text = "resolve: {expression: 'env(\"X\")', packeton: {data: /x}}"
        self.assertEqual(Path("/x"), self.load(text, X="1").settings.data)
        self.assertEqual(Path("var"), self.load(text, X="0").settings.data)

    def test_unreadable(self) -> None:
        """A variable that cannot be read is named, in one line, and what it holds is not told."""
        self.assertEqual("packeton.anonymous_access: cannot be read (environment PUBLIC_ACCESS)", self.refused("", PUBLIC_ACCESS="maybe"))
        self.assertIn("must be text that is not empty (environment APP_SECRET)", self.refused("", APP_SECRET=" "))

    def test_words_for_proxies(self) -> None:
        """Symfony's words for ranges, in a variable or a file."""
        settings = load(environment={"TRUSTED_PROXIES": "192.0.2.1,private_ranges"}).settings
        self.assertEqual(("192.0.2.1", "127.0.0.0/8"), settings.trusted_proxies[:2])
        self.assertIn("fe80::/10", settings.trusted_proxies)
        given = self.load("packeton: {trusted_proxies: REMOTE_ADDR}").settings
        self.assertEqual(("0.0.0.0/0", "::/0"), given.trusted_proxies)

    def test_blocks_refused(self) -> None:
        """What a block cannot have; sections of one that does not apply are nobody's."""
        for text, expected in {
            "{one: {expression: 'open(1)'}}": "resolve.one.expression: ",
            "{one: {expression: 1}}": "resolve.one.expression: must be text",
            "{one: {expression: '1', services: {a: b}}}": "services.a: not supported",
            "{one: {expression: '1', resolve: {a: b}}}": "resolve: unknown section",
            "{one: {expression: '1', flysystem: {a: b}}}": "flysystem: unknown section",
            "{one: {expression: '1', packeton: [1]}}": "resolve.one.packeton: must be a map",
            "{one: 1}": "resolve.one: must be a block",
            "[1]": "resolve: must be a map",
        }.items():
            message = self.refused(f"resolve: {text}")
            self.assertTrue(message.startswith(expected), f"{text}: {message}")
        self.load("resolve: {s3: {expression: 'env(\"STORAGE_SOURCE\") == \"s3\"', flysystem: {a: b}}}")

    def test_empty_variables(self) -> None:
        """As in the reference's own files, an empty variable leaves an option as it is without."""
        text = """
packeton:
    archive_options: {endpoint: '%env(EMPTY)%'}
    web_protection: {allow_ips: '%env(EMPTY)%'}
    trusted_hosts: '%env(EMPTY)%'
    trusted_proxies: '%env(PROXIES)%'
    jwt_authentication: {passphrase: false}
    mirrors: {a: {url: 'https://x', composer_auth: '%env(EMPTY)%', git_ssh_keys: '', logo: '', options: '[]'}}
"""
        settings = self.load(text, EMPTY="", PROXIES="10.0.0.1, 10.0.0.2").settings
        self.assertEqual((None, ()), (settings.archive_options.endpoint, settings.web_protection.allow_ips))
        self.assertEqual(((), ("10.0.0.1", "10.0.0.2")), (settings.trusted_hosts, settings.trusted_proxies))
        mirror = settings.mirrors["a"]
        self.assertEqual(({}, {}, {}, None), (mirror.composer_auth, mirror.git_ssh_keys, mirror.options, mirror.logo))
        self.assertIsNone(settings.jwt_authentication.passphrase)
        self.assertIn("must be text", self.refused("packeton: {mirrors: {a: {url: ''}}}"))

    def test_variables_of_the_reference(self) -> None:
        """What one of them asks for that does not work is refused; its defaults are not."""
        plain = {
            "STORAGE_SOURCE": "local", "STORAGE_AWS_ARGS": "[]", "GITHUB_NO_API": "false", "LOCK_DSN": "flock",
            "OAUTH_GITHUB_CLIENT_ID": "", "MIRROR_DIST_CACHE_DIR": "", "WAIT_FOR_HOST": "db:5432", "SKIP_INIT": "0",
        }  # fmt: skip
        load(environment=plain)
        for name, value in {
            "STORAGE_SOURCE": "s3", "OAUTH_GOOGLE_CLIENT_ID": "x", "COMPOSER_REQUIRE": "a/b",
        }.items():  # fmt: skip
            with self.assertRaises(ConfigurationInvalid) as caught:
                load(environment={**plain, name: value})
            self.assertTrue(str(caught.exception).startswith(f"environment {name}: "), str(caught.exception))

    def test_composer_home(self) -> None:
        """Artifacts stay where the reference has them."""
        artifacts = load(environment={"APP_COMPOSER_HOME": "/srv/composer"}).settings.artifacts
        self.assertEqual(("/srv/composer/artifacts",), artifacts.allowed_paths)
        self.assertEqual(Path("/srv/composer/artifact_storage"), artifacts.artifact_storage)

    def test_trust_from_the_environment(self) -> None:
        """TRUSTED_PROXIES and TRUSTED_HOSTS are the reference's comma lists."""
        settings = load(environment={"TRUSTED_PROXIES": "10.0.0.1, 10.1.0.0/16", "TRUSTED_HOSTS": "^a{1,3}$ , ^b$"}).settings
        self.assertEqual(("10.0.0.1", "10.1.0.0/16"), settings.trusted_proxies)
        self.assertEqual(("^a{1,3}$", "^b$"), settings.trusted_hosts)
        given = self.load("packeton: {trusted_proxies: ['::1'], trusted_hosts: ~}", TRUSTED_PROXIES="10.0.0.1", TRUSTED_HOSTS="x")
        self.assertEqual((("::1",), ("x",)), (given.settings.trusted_proxies, given.settings.trusted_hosts))

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
            mirror % "composer_auth: {magic: {x: y}}": "packeton.mirrors.a.composer_auth: magic",
            "packeton: {mirrors: {'a/b': {url: 'https://x'}}}": "packeton.mirrors.a/b: a name is",
            "packeton: {proxies: {f: {url: 'https://x', path: /mirror/f}}}": "packeton.proxies.f.path: /mirror/f lies in",
            "packeton: {proxies: {f: {url: 'https://x', path: files}}}": "packeton.proxies.f.path: must be a path",
            "monolog: {}": "monolog: unknown section",
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
            "packeton: {integrations: {x: {}}}",
        ):  # fmt: skip
            self.assertIn("not supported yet", self.refused(text))
        self.load("packeton: {metadata: {format: auto}, archive: false, github_no_api: true, mirrors: {a: {url: 'https://x', sync_lazy: true}}}")

    def test_mirror_modes(self) -> None:
        """Lazy by default for packagist.org alone; names of packages are names."""
        for text, lazy in (
            ("url: 'https://repo.packagist.org'", True), ("url: 'https://packagist.org/', sync_lazy: false", False),
            ("url: 'https://repo.example.com'", False), ("url: 'https://repo.example.com', sync_lazy: true", True),
        ):  # fmt: skip
            self.assertEqual(lazy, self.load(f"packeton: {{mirrors: {{a: {{{text}}}}}}}").settings.mirrors["a"].sync_lazy)
        message = self.refused("packeton: {mirrors: {a: {url: 'https://x', available_packages: [a/b, nope]}}}")
        self.assertIn("packeton.mirrors.a.available_packages[1]: must be a package's name", message)

    def test_files(self) -> None:
        """Missing and broken files are named, with the line."""
        with self.assertRaises(ConfigurationInvalid) as caught:
            load([self.folder / "nope.yaml"], environment={})
        self.assertIn("nope.yaml: No such file", str(caught.exception))
        self.assertIn("packeton.yaml:2", self.refused("packeton:\n  a: [1"))
        self.assertIn("must be a map", self.refused("- 1"))

    def test_addresses(self) -> None:
        """What cannot be an address is refused in the configuration, not at the first request."""
        for url in ("ftp://x", "x", "https://", "https://:80", "https://h:0", "https://h:99999", "https://a b", "//h",
                    "https://a\\r\\nb", "https://h/?q", "https://h/#f", "https://[::1", "https://a,b/"):  # fmt: skip
            self.assertTrue(self.refused(f'packeton: {{mirrors: {{a: {{url: "{url}"}}}}}}').startswith("packeton.mirrors.a.url: "), url)
        for url in ("http://h", "https://u:p@h:8443/path/", "http://[::1]:80/x", "HTTPS://H.example"):
            self.load(f"packeton: {{mirrors: {{a: {{url: '{url}'}}}}}}")
        self.assertIn("must not hold", self.refused("packeton: {public_url: 'https://u:tellnobody@h'}"))

    def test_names(self) -> None:
        """An alias is a path segment that stays where it is; aliases with points are aliases all the same."""
        for name in ("a/b", "..", ".", "a b", "", "x" * 65, "ä"):
            self.assertIn("a name is", self.refused(f"packeton: {{mirrors: {{'{name}': {{url: 'https://x'}}}}}}"), name)
        self.assertEqual(["repo.acme-1_x"], list(self.load("packeton: {mirrors: {repo.acme-1_x: {url: 'https://x'}}}").settings.mirrors))
        message = self.refused("packeton: {mirrors: {a.b: {url: 'https://x', dist_urls: 'x'}}}")
        self.assertTrue(message.startswith("packeton.mirrors.a.b.dist_urls: must be"), message)

    def test_keys(self) -> None:
        """One key for all, or one for each part of an address; a file that cannot be read is named by its option."""
        with tempfile.NamedTemporaryFile() as key:
            for told, expected in ((key.name, {"": key.name}), ({"git.acme": key.name}, {"git.acme": key.name})):
                text = json.dumps({"packeton": {"mirrors": {"a": {"url": "https://x", "git_ssh_keys": told}}}})
                self.assertEqual(expected, self.load(text).settings.mirrors["a"].git_ssh_keys)
        message = self.refused("packeton: {mirrors: {a: {url: 'https://x', git_ssh_keys: {h: /nothing/here}}}}")
        self.assertTrue(message.startswith("packeton.mirrors.a.git_ssh_keys.h: the file cannot be read"), message)

    def test_proxies(self) -> None:
        """Two mounts may neither share a path nor nest."""
        for one, other in (("/f", "/f"), ("/f", "/f/g"), ("/f/g", "/f")):
            text = f"a: {{url: 'https://x', path: {one}}}, b: {{url: 'https://x', path: {other}}}"
            text = f"packeton: {{proxies: {{{text}}}}}"
            self.assertIn(f"packeton.proxies.b.path: {other} lies in the way of proxy a", self.refused(text))
        for path in ("/", "/api", "/metrics/x", "/packages.json", "/p2", "/a/../b", "/a//b", "/a/", "/ä"):
            self.refused(f"packeton: {{proxies: {{a: {{url: 'https://x', path: '{path}'}}}}}}")
        self.load("packeton: {proxies: {a: {url: 'https://x', path: /f}, b: {url: 'https://x', path: /fg}, c: {url: 'https://x', path: /apis}}}")

    def test_limits(self) -> None:
        """Values that would make every request fail, and a file that is not there."""
        for name in ("connect_timeout", "response_timeout", "idle_timeout", "total_timeout"):
            self.assertIn(f"packeton.upstream.{name}: must be more", self.refused(f"packeton: {{upstream: {{{name}: 0s}}}}"))
        self.assertIn("must be at least 1", self.refused("packeton: {upstream: {connections_per_host: 0}}"))
        self.assertIn("packeton.upstream.ca_file: /nope.pem: No such", self.refused("packeton: {upstream: {ca_file: /nope.pem}}"))

    def test_secret_from_the_environment(self) -> None:
        """What a variable holds is not repeated, wherever it was put by mistake; its name is."""
        for text in (
            "data: {x: '%env(PW)%'}", "health_check: '%env(PW)%'", "listen: '%env(PW)%'", "listen: ['%env(trim:PW)%']",
            "trusted_proxies: ['%env(PW)%']", "trusted_hosts: ['(%env(PW)%']", "log: {format: '%env(PW)%'}",
            "log: {level: 'x%env(PW)%'}", "upstream: {max_redirects: '%env(PW)%'}", "upstream: {idle_timeout: '%env(PW)%'}",
            "cache: {max_bytes: '%env(PW)%'}", "mirrors: '%env(PW)%'", "mirrors: {a: '%env(PW)%'}",
            "mirrors: {a: {url: 'https://x', dist_urls: '%env(PW)%'}}", "mirrors: {a: {url: 'https://x', sync_interval: '%env(PW)%'}}",
            "health_check: '%env(int:PW)%'", "health_check: '%env(json:PW)%'", "health_check: '%env(file:PW)%'",
            "health_check: '%env(base64:PW)%'", "health_check: '%env(bool:PW)%'", "health_check: '%secret%'",
            "health_check: '%env(key:x:json:PW)%'", "upstream: {max_redirects: '%env(default:secret:NONE)%'}",
        ):  # fmt: skip
            message = self.refused(f"parameters: {{secret: '%env(PW)%'}}\npacketon: {{{text}}}", PW="tell!nobody")
            self.assertTrue(message.startswith("packeton."), message)
            self.assertNotIn("nobody", message)

    def test_origin_names_the_variable(self) -> None:
        """A value out of a variable says which."""
        origins = self.load("packeton:\n  data: '/x/%env(A)%/%env(trim:B)%'", A="1", B="2").origins
        self.assertTrue(origins["packeton.data"].endswith("packeton.yaml:2, environment A, B"), origins)

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
