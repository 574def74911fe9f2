"""Constraints: reading, matching, Composer's forms and messages."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.composer.constraints import ANYTHING, Combination, Comparison, exactly, parse_constraints
from packeton.core.composer.versions import normalize
from packeton.errors import Invalid

VERSIONS = ("dev-main", "1.x-dev", "2.1.x-dev", "1.0.0", "1.0.0-beta1", "2.0.0-RC1", "2.1.3")
VISIBLE = {  # contract 01, section 7
    "*": "YYYYYYY", "dev-main": "Y------", "^1.0": "-Y-YY--", "1.*": "-Y-YY--", "^1.0@dev": "-Y-YY--", ">=1.0": "-YYYYYY",
    "<2.0": "-Y-YY--", "^1.0 | dev-main": "YY-YY--", "^1.0 | ^2.0": "-YYYYYY", "2.1.*": "--Y---Y", "1.x-dev": "-Y-----",
    "1.0.0": "---Y---", "!=dev-main": "-YYYYYY", "!=1.0.0": "YYY-YYY", "<=1.0,>=1.0": "---YY--", "*@stable": "YYYYYYY",
}  # fmt: skip
FORMS = {
    "*": "*", "*.*": ">= 0.0.0.0-dev", "v*": ">= 0.0.0.0-dev", "*.x.*": ">= 0.0.0.0-dev", "<>1.0.0": "!= 1.0.0.0", "==1.2.3": "== 1.2.3.0",
    ">1.0.0": "> 1.0.0.0", "<1.2.3.4": "< 1.2.3.4-dev", ">=1.2.3": ">= 1.2.3.0-dev", "=1.2.3": "== 1.2.3.0", "1.2.3": "== 1.2.3.0",
    "dev-master": "== dev-master", "dev-master#abc": "== dev-master", "dev-master as 1.0.0": "== dev-master", "foobar-dev": "== dev-foobar",
    "<1.2.3.4-dev": "< 1.2.3.4-dev", ">=1.0-stable@beta": ">= 1.0.0.0-beta", ">=1.0@stable": ">= 1.0.0.0-dev", "1.0@alpha": "== 1.0.0.0",
    "~1.2.3": "[>= 1.2.3.0-dev < 1.3.0.0-dev]", "~1": "[>= 1.0.0.0-dev < 2.0.0.0-dev]", "~1.2-beta": "[>= 1.2.0.0-beta < 2.0.0.0-dev]",
    "~2.x-dev": "[>= 2.9999999.9999999.9999999-dev < 3.0.0.0-dev]", "^0.2.3": "[>= 0.2.3.0-dev < 0.3.0.0-dev]",
    "^0.0.3": "[>= 0.0.3.0-dev < 0.0.4.0-dev]", "^0": "[>= 0.0.0.0-dev < 1.0.0.0-dev]", "2.0.*": "[>= 2.0.0.0-dev < 2.1.0.0-dev]",
    "0.*": "< 1.0.0.0-dev", "1.2 - 2.3": "[>= 1.2.0.0-dev < 2.4.0.0-dev]", "1.2 - 2.3.0": "[>= 1.2.0.0-dev <= 2.3.0.0]",
    "1.2-beta - 2.3-dev": "[>= 1.2.0.0-beta <= 2.3.0.0-dev]", ">2.0,<=3.0": "[> 2.0.0.0 <= 3.0.0.0]",
    ">2.0 <=3.0|1.0": "[[> 2.0.0.0 <= 3.0.0.0] || == 1.0.0.0]", "^1 || ^2 || ^3": "[>= 1.0.0.0-dev < 4.0.0.0-dev]",
    "^1 || ^3": "[[>= 1.0.0.0-dev < 2.0.0.0-dev] || [>= 3.0.0.0-dev < 4.0.0.0-dev]]", "> 2.0 , <= 3.0": "[> 2.0.0.0 <= 3.0.0.0]",
}  # fmt: skip
REFUSED = {
    "": 'Could not parse version constraint : Invalid version string ""',
    "~>1.2": 'Could not parse version constraint ~>1.2: Invalid operator "~>", you probably meant to use the "~" operator',
    "1.0 ||": 'Could not parse version constraint : Invalid version string ""',
    "^8 || ^": 'Could not parse version constraint ^: Invalid version string "^"',
    "=>1.0": 'Could not parse version constraint =>1.0: Invalid version string ">1.0"',
    "1.0.0-meh": 'Could not parse version constraint 1.0.0-meh: Invalid version string "1.0.0-meh"',
    "~": 'Could not parse version constraint ~: Invalid version string "~"',
    ">=1.x-foo": 'Could not parse version constraint >=1.x-foo: Invalid version string "1.x-foo"',
}  # fmt: skip
SIGNS = st.sampled_from(["", "=", "!=", "<", "<=", ">", ">=", "^", "~"])
NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda numbers: ".".join(map(str, numbers)))
SIMPLE = st.tuples(SIGNS, NUMBERS, st.sampled_from(["", "-dev", "-beta", "@beta"])).map("".join)
CONSTRAINTS = st.lists(st.lists(SIMPLE, min_size=1, max_size=3).map(",".join), min_size=1, max_size=3).map(" || ".join)


class ConstraintTests(SynchronousTestCase):
    """parse_constraints() and what it returns."""

    def test_what_is_visible(self) -> None:
        """The matrix that decides what a customer sees."""
        for text, expected in VISIBLE.items():
            constraint = parse_constraints(text)
            answers = "".join("Y" if constraint.allows(normalize(version)) else "-" for version in VERSIONS)
            self.assertEqual(expected, answers, text)

    def test_forms(self) -> None:
        """Each syntax and Composer's form of it."""
        for text, form in FORMS.items():
            constraint = parse_constraints(text)
            self.assertEqual((form, text), (str(constraint), constraint.pretty))

    def test_pretty(self) -> None:
        """Nothing written, and what PHP takes for nothing, is shown in Composer's form."""
        self.assertEqual("== 0.0.0.0", parse_constraints("0").pretty)
        self.assertEqual("== 1.0.0.0", exactly("1.0.0.0").pretty)

    def test_refused(self) -> None:
        """Composer's messages."""
        for text, message in REFUSED.items():
            with self.assertRaises(Invalid) as caught:
                parse_constraints(text)
            self.assertEqual(message, str(caught.exception))

    def test_hostile(self) -> None:
        """Overlong texts are refused; the longest that is read takes no time worth speaking of."""
        with self.assertRaises(Invalid):
            parse_constraints("^1 ||" * 1000 + "^1")
        for text in (" " * 4000 + "as", "1" + " " * 4000 + "as", "|" * 4096, "," * 4096, "a" * 4090 + "-dev", "~1." + "9" * 4000 + ".1"):
            try:
                parse_constraints(text)
            except Invalid:
                continue

    def test_values(self) -> None:
        """Constraints compare by what they mean, not by how they were written."""
        self.assertEqual(parse_constraints("^1.0"), parse_constraints(">=1.0,<2.0"))
        self.assertEqual(1, len({parse_constraints("^1.0"), parse_constraints("^1.0.0")}))
        self.assertEqual(Comparison("==", "1.0.0.0"), parse_constraints("1.0"))

    def test_touching(self) -> None:
        """Ranges that meet in a point share it only if both hold it."""
        for left, right, answer in (
            (">=1.0.0-stable", "<1.0.0-dev", False), (">1.0", "<=1.0", False), ("<=1.0", ">=1.0-stable", True), ("<1.0", "<2.0", True),
            ("dev-a", "!=dev-b", True), ("dev-a", ">=1.0", False), ("^1.0", "^2.0", False), ("^1.0 || ^3.0", ">=2.0,<4.0", True),
        ):  # fmt: skip
            self.assertIs(answer, parse_constraints(left).matches(parse_constraints(right)), (left, right))
            self.assertIs(answer, parse_constraints(right).matches(parse_constraints(left)), (right, left))

    def test_a_range_is_not_met_by_halves(self) -> None:
        """An alternative has to meet all of a range at once."""
        left, right = parse_constraints(">=1.0,<2.0"), parse_constraints("<1.0-dev || >=3.0")
        self.assertEqual((False, False), (left.matches(right), right.matches(left)))

    @given(CONSTRAINTS, NUMBERS, st.sampled_from(["", "-dev", "-beta1"]))
    def test_allows_is_matches(self, text: str, numbers: str, suffix: str) -> None:
        """The quick answer is the thorough one."""
        constraint, version = parse_constraints(text), normalize(numbers + suffix)
        self.assertIs(constraint.matches(exactly(version)), constraint.allows(version))
        self.assertIs(exactly(version).matches(constraint), constraint.allows(version))

    @given(CONSTRAINTS, st.sampled_from(["dev-main", "dev-1.0", "dev-"]))
    def test_branches(self, text: str, branch: str) -> None:
        """A named branch is never in a range, whatever its name looks like."""
        constraint = parse_constraints(text)
        self.assertIs(constraint.matches(exactly(branch)), constraint.allows(branch))
        if "!=" not in text:
            self.assertFalse(constraint.allows(branch))

    @given(st.text(alphabet="0123456789.xX*^~<>=!|, @#-+asdevbtRC/\n", max_size=30))
    def test_any_text(self, text: str) -> None:
        """Any text is read or refused in words."""
        try:
            constraint = parse_constraints(text)
        except Invalid as error:
            self.assertTrue(str(error))
            return
        self.assertIs(constraint.matches(exactly("1.0.0.0")), constraint.allows("1.0.0.0"))

    def test_anything(self) -> None:
        """The star holds all and is held by all."""
        self.assertTrue(ANYTHING.allows("dev-x"))
        self.assertTrue(Combination((exactly("1.0.0.0"), ANYTHING), conjunctive=False).matches(exactly("2.0.0.0")))
