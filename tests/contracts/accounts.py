"""What the records of users, groups, tokens and sub-repositories promise, on every database."""

from datetime import timedelta
from typing import Any

from attrs import evolve
from zope.interface.verify import verifyObject

from packeton.adapters.database.groups import GroupRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.subrepos import SubrepoRecords
from packeton.adapters.database.tokens import TokenRecords
from packeton.adapters.database.users import UserRecords
from packeton.core.access.accounts import AclLine, Group, Subrepo, Token, TokenKind, User
from packeton.errors import Conflict, Invalid, NotFound
from packeton.interfaces.accounts import IGroupRecords, ISubrepoRecords, ITokenRecords, IUserRecords, TokenUse
from packeton.interfaces.revisions import IRevisions, Subject
from tests.support.access import NEW_YEAR, day, user_named

DIGEST, OTHER = b"d" * 32, b"o" * 32


def token_of(owner: User | None, **fields: Any) -> Token:
    values = {"id": 0, "kind": TokenKind.PERSONAL, "name": "ci", "shown": "pat_ab", "created_at": NEW_YEAR, "owner": None if owner is None else owner.id}
    return Token(**{**values, **fields})


class AccountRecordsContract:
    """Mix into a TestCase; `make_database` gives an empty one."""

    make_database: Any

    def setUp(self) -> None:
        self.database = self.make_database()
        self.revisions = Revisions(self.database)
        self.users = UserRecords(self.database, self.revisions)
        self.groups = GroupRecords(self.database, self.revisions)
        self.tokens = TokenRecords(self.database, self.revisions)
        self.subrepos = SubrepoRecords(self.database, self.revisions)

    def done(self, coroutine: Any) -> Any:
        """Return what *coroutine* returns."""
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("it waits")

    def new_user(self, name: str = "Anna", **fields: Any) -> User:
        user: User = self.done(self.users.create(user_named(name, **fields)))
        return user

    def new_group(self, name: str = "g", *lines: AclLine, **fields: Any) -> Group:
        group: Group = self.done(self.groups.create(Group(id=0, name=name, lines=lines, **fields)))
        return group

    def moves(self, coroutine: Any) -> Any:
        """Run a change; it must move the revision, here and for others."""
        elsewhere = Revisions(self.database)
        self.done(elsewhere.refresh())
        before = self.revisions.current(Subject.ACCESS)
        self.assertEqual(before, elsewhere.current(Subject.ACCESS))
        result = self.done(coroutine)
        self.assertGreater(self.revisions.current(Subject.ACCESS), before)
        self.done(elsewhere.refresh())
        self.assertEqual(self.revisions.current(Subject.ACCESS), elsewhere.current(Subject.ACCESS))
        return result

    def test_interfaces(self) -> None:
        """All are what they say."""
        for interface, records in (
            (IUserRecords, self.users), (IGroupRecords, self.groups), (ITokenRecords, self.tokens),
            (ISubrepoRecords, self.subrepos), (IRevisions, self.revisions),
        ):  # fmt: skip
            verifyObject(interface, records)

    def test_revisions(self) -> None:
        """Each subject has its own number; a failed change moves none."""
        self.assertEqual(0, self.revisions.current("packages"))
        self.assertEqual([1, 2], [self.done(self.revisions.bump("packages")) for _ in range(2)])
        before = self.revisions.current(Subject.ACCESS)
        self.new_user()
        moved = self.revisions.current(Subject.ACCESS)
        self.assertGreater(moved, before)
        with self.assertRaises(Conflict):
            self.new_user("anna", email="other@example.com")
        self.done(self.revisions.refresh())
        self.assertEqual((moved, 2), (self.revisions.current(Subject.ACCESS), self.revisions.current("packages")))

    def test_user_round_trip(self) -> None:
        """Every field comes back as it went in."""
        group = self.new_group()
        user = user_named(
            "Änna", email="Anna@Example.com", enabled=False, password="$argon2id$x", salt="s", roles=frozenset({"ROLE_ADMIN", "ROLE_X"}),
            groups=(group.id,), expires_at=day(2027), updates_until=day(2026, 6), subrepos=(3, 0, 1), external_id="github:1",
            failure_notifications=False, totp_secret="sealed", totp_confirmed_at=NEW_YEAR, totp_recovery=("a", "b"),
            reset_digest=DIGEST, reset_requested_at=NEW_YEAR, last_login_at=NEW_YEAR + timedelta(microseconds=1),
        )  # fmt: skip
        made = self.moves(self.users.create(user))
        for found in (
            self.done(self.users.get(made.id)), self.done(self.users.find("änna")), self.done(self.users.find("ANNA@example.COM")),
            self.done(self.users.by_reset(DIGEST)),
        ):  # fmt: skip
            assert found is not None
            self.assertEqual(evolve(user, id=made.id), found.user)
            self.assertEqual((group,), found.groups)
        for absent in (self.users.get(made.id + 1), self.users.find("nobody"), self.users.find("a@b.c"), self.users.by_reset(OTHER)):
            self.assertIsNone(self.done(absent))

    def test_user_changes(self) -> None:
        """Fields are set one by one; names and addresses stay unique; ids are never given again."""
        group = self.new_group()
        anna, otto = self.new_user("Anna"), self.new_user("Otto")
        changed = self.moves(self.users.change(anna.id, {"enabled": False, "groups": (group.id,)}))
        self.assertEqual((False, (group.id,), "Anna"), (changed.enabled, changed.groups, changed.name))
        self.assertEqual([changed], self.done(self.groups.members(group.id)))
        with self.assertRaises(Conflict):
            self.done(self.users.change(otto.id, {"email": "ANNA@example.com"}))
        with self.assertRaises(Conflict):
            self.new_user("OTTO", email="x@example.com")
        with self.assertRaises(Invalid):
            self.done(self.users.change(anna.id, {"groups": (group.id, 999)}))
        with self.assertRaises(NotFound):
            self.done(self.users.change(999, {"enabled": True}))
        self.assertEqual((group.id,), self.done(self.users.get(anna.id)).user.groups)
        self.assertEqual(otto, self.moves(self.users.change(otto.id, {"email": otto.email})))
        self.assertTrue(self.moves(self.users.remove(otto.id)))
        self.assertFalse(self.done(self.users.remove(otto.id)))
        self.assertGreater(self.new_user("Neu").id, otto.id)
        before = self.revisions.current(Subject.ACCESS)
        self.done(self.users.noted_login(anna.id, NEW_YEAR))
        self.assertEqual((NEW_YEAR, before), (self.done(self.users.get(anna.id)).user.last_login_at, self.revisions.current(Subject.ACCESS)))

    def test_user_listing(self) -> None:
        """By id, in pages, with or without administrators, by a part of name or address taken literally."""
        names = ["c", "a_x", "b"]
        for name in names:
            self.new_user(name)
        self.new_user("root", roles=frozenset({"ROLE_SUPER_ADMIN"}))

        def listed(*arguments: Any, **options: Any) -> list[str]:
            return [user.name for user in self.done(self.users.listing(*arguments, **options))]

        self.assertEqual([*names, "root"], listed())
        self.assertEqual(["a_x", "b"], listed(2, 1))
        self.assertEqual(names, listed(without_admins=True))
        self.assertEqual(["a_x"], listed(search="A_"))
        self.assertEqual([], listed(search="%"))
        self.assertEqual((4, 3), (self.done(self.users.count()), self.done(self.users.count(without_admins=True))))

    def test_groups(self) -> None:
        """Lines keep their order; saving replaces all; a deleted group leaves its members."""
        lines = (AclLine(package="acme/b", constraint="^1.0"), AclLine(package="acme/*", min_stability="beta"), AclLine(package="acme/b", constraint="dev-main"))
        group = self.moves(self.groups.create(Group(id=0, name="g", lines=lines, mirrors=("b", "a", "a"), updates_until=day(2027), min_stability="RC")))
        found = self.done(self.groups.get(group.id))
        self.assertEqual(evolve(group, mirrors=("a", "b")), found)
        self.assertEqual(found, self.done(self.groups.find("g")))
        self.assertIsNone(self.done(self.groups.find("other")))
        self.assertEqual([found], self.done(self.groups.of_package("acme/b")))
        self.assertEqual([], self.done(self.groups.of_package("acme/c")))
        with self.assertRaises(Conflict):
            self.new_group("g")
        member = self.new_user(groups=(group.id,))
        other = self.new_group("h")
        with self.assertRaises(Conflict):
            self.done(self.groups.replace(other, evolve(other, name="g")))
        self.assertTrue(self.moves(self.groups.replace(found, Group(id=group.id, name="g2"))))
        self.assertEqual([Group(id=group.id, name="g2"), other], self.done(self.groups.listing()))
        self.assertEqual([other], self.done(self.groups.listing(5, 1)))
        self.assertEqual([member], self.done(self.groups.members(group.id)))
        self.assertTrue(self.moves(self.groups.remove(group.id)))
        self.assertFalse(self.done(self.groups.remove(group.id)))
        self.assertEqual((), self.done(self.users.get(member.id)).user.groups)

    def test_renamed_packages(self) -> None:
        """Lines and lists follow a package's new name, and its end."""
        group = self.new_group("g", AclLine(package="a/old", constraint="^1"), AclLine(package="a/*"))
        first = self.done(self.subrepos.create(Subrepo(id=0, name="S", slug="s", packages=frozenset({"a/old", "b/b"}))))
        second = self.done(self.subrepos.create(Subrepo(id=0, name="T", slug="t", packages=frozenset({"a/old", "a/new"}))))
        self.assertEqual(1, self.moves(self.groups.rename_package("a/old", "a/new")))
        self.assertEqual(["a/new", "a/*"], [line.package for line in self.done(self.groups.get(group.id)).lines])
        self.assertEqual(2, self.moves(self.subrepos.rename_package("a/old", "a/new")))
        self.assertEqual({"a/new", "b/b"}, self.done(self.subrepos.get(first.id)).packages)
        self.assertEqual({"a/new"}, self.done(self.subrepos.get(second.id)).packages)
        self.assertEqual(1, self.done(self.groups.rename_package("a/new", None)))
        self.assertEqual(2, self.done(self.subrepos.rename_package("a/new", None)))
        self.assertEqual(frozenset(), self.done(self.subrepos.get(second.id)).packages)

    def test_tokens(self) -> None:
        """By digest with the owner; limited, unlimited and of other systems; revoked and gone with the user."""
        group = self.new_group()
        anna = self.new_user(groups=(group.id,))
        limited = self.moves(self.tokens.create(token_of(anna, scopes=frozenset({"metadata", "feeds"}), expires_at=day(2027)), DIGEST))
        found = self.done(self.tokens.by_digest(DIGEST))
        assert found is not None
        assert found.account is not None
        self.assertEqual((limited, anna, (group,)), (found.token, found.account.user, found.account.groups))
        self.assertIsNone(self.done(self.tokens.by_digest(OTHER)))
        with self.assertRaises(Conflict):
            self.done(self.tokens.create(token_of(anna), DIGEST))
        with self.assertRaises(NotFound):
            self.done(self.tokens.create(evolve(token_of(None), owner=999), OTHER))
        outside = self.done(self.tokens.create(token_of(None, user_identifier="ldap-user"), OTHER))
        self.assertIsNone(outside.scopes)
        self.assertIsNone(self.done(self.tokens.by_digest(OTHER)).account)
        self.assertEqual([outside], self.done(self.tokens.of_owner(None, "ldap-user")))
        self.assertEqual([limited], self.done(self.tokens.of_owner(anna.id)))
        hook = self.done(self.tokens.create(token_of(None, kind=TokenKind.HOOK), b"h" * 32))
        self.assertEqual([hook], self.done(self.tokens.of_hooks()))
        self.assertEqual([outside], self.done(self.tokens.of_owner(None, "ldap-user")))
        self.assertEqual(limited, self.done(self.tokens.get(limited.id)))
        self.assertTrue(self.moves(self.tokens.remove(limited.id)))
        self.assertFalse(self.done(self.tokens.remove(limited.id)))
        self.assertIsNone(self.done(self.tokens.get(limited.id)))
        self.done(self.tokens.create(token_of(anna), DIGEST))
        self.done(self.users.remove(anna.id))
        self.assertIsNone(self.done(self.tokens.by_digest(DIGEST)))

    def test_api_token_is_replaced(self) -> None:
        """A user has one; giving the same one again keeps it."""
        anna, otto = self.new_user("Anna"), self.new_user("Otto")
        self.done(self.tokens.create(token_of(anna, kind=TokenKind.API), DIGEST))
        self.done(self.tokens.create(token_of(anna), b"p" * 32))
        self.done(self.tokens.create(token_of(anna, kind=TokenKind.API), OTHER))
        self.assertIsNone(self.done(self.tokens.by_digest(DIGEST)))
        self.done(self.tokens.create(token_of(anna, kind=TokenKind.API), OTHER))
        self.assertEqual(2, len(self.done(self.tokens.of_owner(anna.id))))
        with self.assertRaises(Conflict):
            self.done(self.tokens.create(token_of(otto, kind=TokenKind.API), OTHER))
        self.assertEqual(1, self.moves(self.tokens.remove_all(anna.id, TokenKind.API)))
        self.assertEqual(1, self.done(self.tokens.remove_all(anna.id)))

    def test_token_use(self) -> None:
        """Uses add up, and move no revision."""
        token = self.done(self.tokens.create(token_of(self.new_user()), DIGEST))
        before = self.revisions.current(Subject.ACCESS)
        for count in (2, 3):
            use = TokenUse(token_id=token.id, count=count, at=NEW_YEAR, address="192.0.2.1", agent="x" * 600)
            self.done(self.tokens.used([use, evolve(use, token_id=999)]))
        used = self.done(self.tokens.get(token.id))
        self.assertEqual((5, NEW_YEAR, "192.0.2.1", 512), (used.used_count, used.used_at, used.used_from, len(used.used_agent)))
        self.assertEqual(before, self.revisions.current(Subject.ACCESS))

    def test_subrepos(self) -> None:
        """Slugs and hosts are unique; hosts keep their order; saving replaces all."""
        one = self.moves(self.subrepos.create(Subrepo(id=0, name="One", slug="one", hosts=("b.example", "a.example"), packages=frozenset({"a/a", "b/*"}), public=True, markup="<b>")))
        self.assertEqual(one, self.done(self.subrepos.get(one.id)))
        self.assertEqual(one, self.done(self.subrepos.find("one")))
        self.assertIsNone(self.done(self.subrepos.find("two")))
        two = self.done(self.subrepos.create(Subrepo(id=0, name="Two", slug="two")))
        for wrong in (Subrepo(id=0, name="X", slug="one"), Subrepo(id=0, name="X", slug="x", hosts=("a.example",))):
            with self.assertRaises(Conflict):
                self.done(self.subrepos.create(wrong))
        with self.assertRaises(Conflict):
            self.done(self.subrepos.replace(two, evolve(two, slug="one")))
        self.assertTrue(self.moves(self.subrepos.replace(one, evolve(one, hosts=("b.example",), packages=frozenset()))))
        self.assertEqual([evolve(one, hosts=("b.example",), packages=frozenset()), two], self.done(self.subrepos.listing()))
        self.moves(self.subrepos.add_package(two.id, "c/c"))
        self.done(self.subrepos.add_package(two.id, "c/c"))
        self.assertEqual({"c/c"}, self.done(self.subrepos.get(two.id)).packages)
        with self.assertRaises(NotFound):
            self.done(self.subrepos.add_package(999, "c/c"))
        self.assertTrue(self.moves(self.subrepos.remove(one.id)))
        self.assertFalse(self.done(self.subrepos.remove(one.id)))
        self.assertEqual([two.id], [left.id for left in self.done(self.subrepos.listing())])
