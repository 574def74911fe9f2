"""What is posted, within bounds: JSON and forms."""

from io import BytesIO

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.iweb import IRequest
from twisted.web.test.requesthelper import DummyRequest

from packeton.errors import Invalid, TooLarge
from packeton.web.bodies import read_fields, read_form, read_json_object

FORM = "application/x-www-form-urlencoded"
PART = 'Content-Disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'


def posted(body: bytes, content_type: str = "") -> IRequest:
    request = DummyRequest([b""])
    request.requestHeaders = Headers({"content-type": [content_type]})
    request.content = BytesIO(body)
    return request  # type: ignore[return-value]  # enough of one


def multipart(*parts: str) -> bytes:
    return "".join(f"--x\r\n{part}" for part in parts).encode() + b"--x--\r\n"


class BodyTests(SynchronousTestCase):
    """read_json_object(), read_form(), read_fields()."""

    def test_json(self) -> None:
        """An object, whose last key of a name counts; else where it is wrong."""
        self.assertEqual({"a": 2}, read_json_object(posted(b'{"a": 1, "a": 2}')))
        for body, words in ((b"", "line 1"), (b'{"a"\n1}', "line 2, column 1"), (b"[]", "object"), (b"\xff", ""), (b'{"a": NaN}', ""), (b'{"a": "\\ud800"}', ""), (b"[" * 100_000, "")):
            with self.assertRaises(Invalid) as caught:
                read_json_object(posted(body))
            self.assertIn(words, str(caught.exception))
        with self.assertRaises(TooLarge):
            read_json_object(posted(b"{}" + b" " * 9), 10)

    def test_form(self) -> None:
        """Fields of both kinds of forms; files in them do not count."""
        self.assertEqual({"a": "2", "b": "ü", "c": ""}, read_form(posted(b"a=1&a=2&b=%C3%BC&c=", FORM + "; charset=utf-8")))
        body = multipart(PART.format("a", "", 1), PART.format("a", "", 2), PART.format("f", '; filename="f"', "x"))
        self.assertEqual({"a": "2"}, read_form(posted(body, "multipart/form-data; boundary=x")))
        self.assertIsNone(read_form(posted(b"a=1", "application/json")))

    def test_bad_forms(self) -> None:
        """Refused, whatever is wrong."""
        many = multipart(*(PART.format(number, "", "") for number in range(200)))
        for body, kind in ((b"\xff", FORM), (b"a=b&" * 500, FORM), (many, "multipart/form-data; boundary=x"), (many[:40], "multipart/form-data; boundary=x"), (many, "multipart/form-data"), (many, "multipart/form-data; boundary=" + "y" * 5000)):
            with self.assertRaises(Invalid):
                read_form(posted(body, kind))

    def test_fields(self) -> None:
        """Of a form, or else of a JSON object."""
        self.assertEqual({"a": "1"}, read_fields(posted(b"a=1", FORM)))
        self.assertEqual({"a": 1}, read_fields(posted(b'{"a": 1}', "application/json")))
