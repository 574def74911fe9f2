"""Roles and ACL classes."""

from unittest import TestCase

from packeton.core.access.identities import ANONYMOUS, Grant, Identity, Role, with_implied


class IdentityTests(TestCase):
    """Who has which role, and who sees the same."""

    def test_roles_imply(self) -> None:
        """An administrator is a maintainer and a full customer; labels stay; everybody is a user."""
        roles = with_implied(["ROLE_ADMIN", "ROLE_GITHUB"])
        self.assertLessEqual({Role.MAINTAINER, Role.FULL_CUSTOMER, Role.USER, Role.EDIT_PACKAGES, "ROLE_GITHUB"}, roles)
        self.assertEqual({Role.USER}, with_implied([]))
        self.assertNotIn(Role.ADMIN, with_implied([Role.MAINTAINER]))
        self.assertIn(Role.ADMIN, with_implied([Role.SUPER_ADMIN]))

    def test_acl_class(self) -> None:
        """The order of grants does not matter; the anonymous and the full have one class each."""
        one, two = Grant(package="acme/a"), Grant(package="acme/*", constraint="^1.0")
        user = Identity(name="u", roles=with_implied([]), grants=(one, two))
        self.assertEqual(user.acl_class, Identity(name="v", roles=with_implied([]), grants=(two, one)).acl_class)
        self.assertNotEqual(user.acl_class, Identity(name="u", roles=with_implied([]), grants=(one,)).acl_class)
        self.assertEqual(("anonymous", "full"), (ANONYMOUS.acl_class, Identity(name="a", roles=with_implied([Role.ADMIN])).acl_class))
        self.assertTrue(ANONYMOUS.is_anonymous)
