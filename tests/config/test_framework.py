"""The framework's sections of the reference's files: read where we have the same, refused by their path elsewhere."""

from tests.config.test_loader import LoaderTestCase

DIRECTORY = """
parameters:
    default_login_provider: form_login_ldap
    default_login_options: {provider: all_users, login_path: /login, check_path: /login, service: Symfony\\Component\\Ldap\\Ldap%s}
services:
    Symfony\\Component\\Ldap\\Ldap:
        arguments: ['@Symfony\\Component\\Ldap\\Adapter\\ExtLdap\\Adapter']
        tags: [ldap]
    Symfony\\Component\\Ldap\\Adapter\\ExtLdap\\Adapter:
        arguments: [{host: '%%env(LDAP_HOST)%%', %soptions: {protocol_version: 3}}]
security:
    providers:
        staff: {ldap: {service: Symfony\\Component\\Ldap\\Ldap, base_dn: 'dc=x', search_dn: 'cn=r', search_password: pw, uid_key: uid, default_roles: ROLE_MAINTAINER, extra_fields: []}}
        unused: {ldap: {base_dn: 'dc=y'}}
        all_users: {chain: {providers: [%s]}}
"""


class FrameworkTests(LoaderTestCase):
    """Files of the reference as they are."""

    def test_ldap(self) -> None:
        """The chain says who comes first, the service where the directory is."""
        text = DIRECTORY % (", dn_string: 'uid={user_identifier},dc=x'", "port: 3389, encryption: tls, ", "packagist, staff")
        ldap = self.load(text, LDAP_HOST="ldap.example.com").settings.ldap
        self.assertFalse(ldap.first)
        self.assertEqual(["staff"], list(ldap.providers))
        staff = ldap.providers["staff"]
        self.assertEqual(("ldap://ldap.example.com:3389", True), (staff.server, staff.start_tls))
        self.assertEqual(("dc=x", "cn=r", "uid"), (staff.base_dn, staff.search_dn, staff.uid_key))
        assert staff.search_password is not None
        self.assertEqual("pw", staff.search_password.reveal())
        self.assertEqual(("uid={username},dc=x", ("ROLE_MAINTAINER",)), (staff.login_dn, staff.default_roles))

    def test_directory_first(self) -> None:
        """With a query the DN is what the search finds; ssl is ldaps."""
        text = DIRECTORY % (", dn_string: 'dc=x', query_string: '(uid={username})'", "encryption: ssl, ", "staff, packagist")
        ldap = self.load(text, LDAP_HOST="h").settings.ldap
        self.assertTrue(ldap.first)
        self.assertEqual(("ldaps://h:636", None), (ldap.providers["staff"].server, ldap.providers["staff"].login_dn))

    def test_not_switched_on(self) -> None:
        """Providers that no login uses are not asked."""
        text = (DIRECTORY % ("", "", "packagist, staff")).replace("form_login_ldap", "form_login")
        self.assertEqual({}, self.load(text, LDAP_HOST="h").settings.ldap.providers)

    def test_plain(self) -> None:
        """What the framework has of its own and we have too; `packeton` wins."""
        text = """
framework: {secret: s3cret, trusted_proxies: '127.0.0.1,10.0.0.0/8', trusted_hosts: ['^a$'], mailer: {dsn: 'smtp://mail'}}
doctrine: {dbal: {url: '%env(resolve:DATABASE_URL)%'}}
nelmio_cors: {defaults: {origin_regex: true, allow_origin: ['^a$', '^b$']}}
packeton: {trusted_hosts: ['^b$']}
"""
        settings = self.load(text, DATABASE_URL="postgresql://u:p@h/x").settings
        self.assertEqual(("127.0.0.1", "10.0.0.0/8"), settings.trusted_proxies)
        self.assertEqual(("^b$",), settings.trusted_hosts)
        assert settings.app_secret is not None
        self.assertEqual("s3cret", settings.app_secret.reveal())
        assert settings.database.url is not None
        self.assertEqual("postgresql://u:p@h/x", settings.database.url.reveal())
        self.assertEqual("(?:^a$)|(?:^b$)", settings.cors_allow_origin)

    def test_refused(self) -> None:
        """Everything else, by its path."""
        for text, path in {
            "security: {firewalls: {main: {}}}": "security.firewalls",
            "security: {providers: {x: {entity: {class: y}}}}": "security.providers.x",
            "services: {App\\\\X: {}}": "services.App\\\\X",
            "framework: {session: {cookie_lifetime: 3}}": "framework.session",
            "framework: {mailer: {transports: {}}}": "framework.mailer.transports",
            "framework: 3": "framework",
            "doctrine: {orm: {}}": "doctrine.orm",
            "services: 3": "services",
            "parameters: {default_login_provider: form_login_ldap}\nsecurity: {}": "parameters.default_login_provider",
        }.items():
            message = self.refused(text)
            self.assertTrue(message.startswith(f"{path}: "), f"{text}: {message}")
            self.assertIn(":1)" if "login_provider" not in text else ":", message)
