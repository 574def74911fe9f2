"""Expressions of conditional blocks."""

import string

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from packeton.config.conditions import holds

ENVIRONMENT = {"S3": "s3", "ONE": "1", "ZERO": "0", "EMPTY": "", "FALSE": "false", "QUOTE": "a'!b && c", "TEN": "10.0"}


class HoldsTests(SynchronousTestCase):
    """They mean what they mean in PHP, and nothing else can be said in them."""

    def test_true(self) -> None:
        """What holds."""
        for expression in (
            'env("S3")', "env('S3') == 's3'", 'env("s3") === "s3"', 'env("FALSE")', 'env("ONE") == 1', 'env("ONE") == true',
            '!env("NONE")', 'not env("ZERO")', '! env("EMPTY")', 'env("NONE") == null', 'env("NONE") == ""', 'env("NONE") == false',
            'env("NONE") === null', 'env("ONE") !== 1', 'env("TEN") == 10', 'env("TEN") > 9', '"b" > "a"', "2 >= 2", "1 < 1.5",
            'env("S3") in ["x", "s3"]', 'env("S3") not in ["x"]', "env('ZERO') or env('ONE')", "env('ZERO') || env('ONE')",
            "env('S3') and env('ONE')", "env('S3') && !env('ZERO')", "(env('ZERO') and env('ZERO')) or true", "true or false and false",
            """env("QUOTE") == "a'!b && c" """, r'"a\"b" == \'a"b\''.replace("\\'", "'"), "not (1 == 2)", "TRUE", "[] == []", "null == []", "!!1",
            "!false == true", "1 != 2", "1 <= 1", '"abc" != 0', "env('S3') ==\n's3'", '"or" == "or"', "'1' not   in [1]",
        ):  # fmt: skip
            self.assertIs(True, holds(expression, ENVIRONMENT), expression)

    def test_false(self) -> None:
        """What does not."""
        for expression in (
            'env("NONE")', 'env("ZERO")', 'env("EMPTY")', '""', "0", "null", "false", "[]", 'env("S3") == "S3"', 'env("ONE") === 1',
            "1 in ['1']", "'a' == 0", "null == '0'", "null === false", "env('S3') and env('ZERO')", "false or false", "not 1 == 1",
            "1 > 2", "'1' == 'a'", "[1] == 'Array'",
        ):  # fmt: skip
            self.assertIs(False, holds(expression, ENVIRONMENT), expression)

    def test_refused(self) -> None:
        """Everything else, with a text that names it."""
        for expression, named in {
            "open('x')": "open", "env": "not complete", "env(1)": 'env("NAME")', "env('A'": "not complete", "": "not complete", "1 +": "+",
            "env('A') matches '/x/'": "matches", "a.b": "a", "__import__('os')": "__import__", "'x": "'x", "1 1": "1", "env('A')) ": ") is not",
            "(" * 200 + "1" + ")" * 200: "deeply", "!" * 200 + "1": "deeply", "[" * 200 + "]" * 200: "deeply", "1 || " * 2000 + "1": "longer",
            "1 in 2": "list", "[1] < 2": "order", "[1,,2]": ",", "[1 2]": "2", "container": "container", "env('A') ? 1 : 2": "?",
            "1 == ": "not complete", "1 # x": "#", "env('A', 'B')": ",", "{}": "{}", "f'x'": "f", "&": "&",
        }.items():  # fmt: skip
            with self.assertRaises(ValueError) as caught:
                holds(expression, ENVIRONMENT)
            self.assertIn(named, str(caught.exception), expression)

    @given(st.text(string.printable, max_size=60))
    def test_any_text(self, expression: str) -> None:
        """Any text is judged or refused; nothing else happens."""
        try:
            self.assertIsInstance(holds(expression, ENVIRONMENT), bool)
        except ValueError as error:
            self.assertTrue(str(error))

    @given(st.lists(st.sampled_from(["env('ONE')", "0", "not", "!", "and", "||", "(", ")", "==", "in", "[", "]", ",", "'x'", "null"]), max_size=12))
    def test_any_tokens(self, tokens: list[str]) -> None:
        """So is any sequence of the language's own words."""
        try:
            self.assertIsInstance(holds(" ".join(tokens), ENVIRONMENT), bool)
        except ValueError as error:
            self.assertTrue(str(error))
