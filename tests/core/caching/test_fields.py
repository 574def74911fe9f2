"""Header fields. Source: RFC 9110, RFC 9111."""

from datetime import UTC, datetime, timedelta
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.caching.fields import Directives, age_of, end_to_end, http_date, list_members, read_date

SECOND = timedelta(seconds=1)
LONGEST = 2**31 * SECOND


def told(value: str) -> Directives:
    return Directives.read([("Cache-Control", value)])


class DirectivesTests(SynchronousTestCase):
    """Cache-Control."""

    def test_durations(self) -> None:
        """Case, quotes, spaces, repetition, overflow, nonsense."""
        for value, expected in (
            ("max-age=5", 5 * SECOND), ("MAX-AGE=5", 5 * SECOND), ('max-age="5"', 5 * SECOND), ("  max-age=5  ", 5 * SECOND),
            ("public, max-age=005", 5 * SECOND), ("max-age=5, max-age=3", 3 * SECOND), ("max-age=99999999999999", LONGEST),
            ("max-age=-5", 0 * SECOND), ("max-age=5.5", 0 * SECOND), ("max-age=a5", 0 * SECOND), ("max-age", 0 * SECOND),
            ('a="x, max-age=9"', None), ("x-max-age=5", None), ("", None), ("max-age=٣", 0 * SECOND),
        ):  # fmt: skip
            self.assertEqual(expected, told(value).seconds("max-age"), value)

    def test_names(self) -> None:
        """Directives that are limited to fields."""
        self.assertEqual({"a", "b"}, told('no-cache="A, b", private').names("no-cache"))
        self.assertEqual(frozenset(), told("no-cache").names("no-cache"))
        self.assertEqual(frozenset(), told('private="A", private').names("private"))
        self.assertEqual({"a", "b"}, told('private="A", private="B"').names("private"))
        self.assertIn("private", told('no-cache="A, b", private'))

    def test_hostile_lists(self) -> None:
        """Members of a field of the size of a head are found in no time; an open quote goes on to the end."""
        began = process_time()
        for odd in ('\\"', '"a\\', '" ', '""', 'a="\\'):
            list(list_members([("X", '"' + odd * 30_000)], "x"))
            told('"' + odd * 30_000)
        self.assertLess(process_time() - began, 5)
        self.assertEqual(["a", '"b, c'], list(list_members([("X", 'a, "b, c')], "x")))

    def test_several_lines(self) -> None:
        """Lines are one list."""
        both = Directives.read([("cache-control", "public"), ("X", "no-store"), ("Cache-Control", "max-age=1")])
        self.assertIn("public", both)
        self.assertNotIn("no-store", both)
        self.assertEqual(SECOND, both.seconds("max-age"))

    @given(st.text(max_size=60))
    def test_never_breaks(self, value: str) -> None:
        """Any text can be read, and a lone no-store after it is seen unless it is inside quotes."""
        directives = told(value)
        seconds = directives.seconds("max-age")
        self.assertTrue(seconds is None or timedelta(0) <= seconds <= LONGEST)
        if '"' not in value:
            self.assertIn("no-store", told(value + ", no-store"))

    @given(st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,10}", fullmatch=True), st.integers(0, 2**31), max_size=6))
    def test_written_and_read(self, values: dict[str, int]) -> None:
        """What is written is read."""
        directives = told(", ".join(f"{name}={number}" for name, number in values.items()))
        for name, number in values.items():
            self.assertEqual(number * SECOND, directives.seconds(name))


class DateTests(SynchronousTestCase):
    """HTTP dates."""

    def test_forms(self) -> None:
        """All three, and nothing else."""
        moment = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
        for text in ("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                     "sun, 06 nov 1994 08:49:37 gmt"):
            self.assertEqual(moment, read_date(text), text)
        for text in ("", "0", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 +0000", "06 Nov 1994 08:49:37 GMT",
                     "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun,06 Nov 1994 08:49:37 GMT", None):
            self.assertIsNone(read_date(text), text)

    @given(st.datetimes(datetime(1970, 1, 1), datetime(2199, 1, 1)))
    def test_round_trip(self, moment: datetime) -> None:
        """What is written is read."""
        moment = moment.replace(tzinfo=UTC, microsecond=0)
        self.assertEqual(moment, read_date(http_date(moment)))


class AgeTests(SynchronousTestCase):
    """Age."""

    def test_ages(self) -> None:
        """One number, the first of a list; what is broken is too old."""
        for lines, expected in (
            ([], 0 * SECOND), (["5"], 5 * SECOND), (["0, 7200"], 0 * SECOND), (["7200, 0"], 7200 * SECOND),
            (["5", "5"], LONGEST), (["-5"], LONGEST), (["5.0"], LONGEST), (["abc"], LONGEST), (["5;a=b"], LONGEST), (["0, 0"], LONGEST),
        ):  # fmt: skip
            self.assertEqual(expected, age_of([("Age", line) for line in lines]), lines)


class HopTests(SynchronousTestCase):
    """Fields of one connection."""

    def test_removed(self) -> None:
        """The known ones, and those that Connection lists."""
        fields = [("A", "1"), ("Connection", "b, close"), ("Connection", "C"), ("b", "2"), ("c", "3"), ("TE", "x"), ("D", "4")]
        self.assertEqual((("A", "1"), ("D", "4")), end_to_end(fields))

    def test_lists(self) -> None:
        """Members over lines, not inside quotes."""
        fields = [("If-None-Match", '"a,b", W/"c"'), ("If-None-Match", ', "d" ,')]
        self.assertEqual(['"a,b"', 'W/"c"', '"d"'], list(list_members(fields, "if-none-match")))
