"""The matrix at the rules: role by package by version by date by repository."""

from itertools import product
from unittest import TestCase

from packeton.core.access.accounts import Group
from packeton.core.access.identities import Identity, with_implied
from packeton.core.access.rules import PackageFacts, VersionFacts, sees_package, visible_versions
from tests.support import matrix
from tests.support.matrix import AUDIENCE, PACKAGES, REPOSITORIES, WHO, Who


def identity_of(who: Who) -> Identity:
    groups = (AUDIENCE,) if who.anonymous else who.groups
    made = [Group(id=1, name="g", lines=one.lines, updates_until=one.updates_until, min_stability=one.min_stability) for one in groups]
    return Identity(
        name="x",
        user_id=None if who.anonymous else 7,
        roles=frozenset() if who.anonymous else with_implied(who.roles),
        grants=tuple(grant for group in made for grant in group.grants()),
        updates_until=who.updates_until,
    )


class MatrixTests(TestCase):
    """Every combination."""

    def test_rules(self) -> None:
        """The rules say what the contract says, and not the same to everybody."""
        seen = 0
        for (name, who), (repository, (inside, public)), package, archived in product(WHO.items(), REPOSITORIES.items(), PACKAGES, (False, True)):
            if package not in inside or matrix.enters(who, repository) != 200 or (repository == "root" and "root" not in who.subrepos):
                continue
            facts = PACKAGES[package]
            ours = PackageFacts(name=package, visible_for_all=facts.visible_for_all, archived=facts.archived, public=public)
            versions = [VersionFacts(one.normalized, one.released_at, one.stability) for one in facts.versions]
            identity = identity_of(who)
            with self.subTest(who=name, repository=repository, package=package, archived=archived):
                expected = [matrix.sees_version(who, repository, package, one, archived=archived) for one in facts.versions]
                self.assertEqual(matrix.sees(who, repository, package, archived=archived), sees_package(identity, ours, archived=archived))
                self.assertEqual(expected, visible_versions(identity, ours, versions, archived=archived))
                seen += sum(expected)
        self.assertGreater(seen, 300)
