"""READMEs as HTML."""

from unittest import TestCase

from packeton.features.packages.readmes import rendered_readme


def render(text: str, path: str = "README.md", repository: str | None = "git@github.com:acme/a.git", branch: str | None = "main") -> str:
    return rendered_readme(path, text.encode(), repository=repository, branch=branch) or ""


class ReadmeTests(TestCase):
    """What is shown, and what never is."""

    def test_markdown(self) -> None:
        """GitHub's: tables, strikethrough, code; the first heading goes."""
        html = render("# acme/a\n\nHello *you* ~~me~~\n\n|a|\n|-|\n|1|\n\n```php\n<?php\n```\n\n## Use\n")
        self.assertTrue(html.startswith("<p>Hello <em>you</em> <s>me</s></p>"), html)
        for part in ("<table>", '<code class="language-php">&lt;?php', "<h2>Use</h2>"):
            self.assertIn(part, html)
        self.assertNotIn("acme/a</h1>", html)

    def test_addresses(self) -> None:
        """Relative ones lead to the forge, anchors get a prefix, links say that they are not ours."""
        html = render('[d](docs/x.md) [a](#use) ![i](/logo.png) [w](https://x.example/) <a id="use">u</a>')
        for part in (
            'href="https://github.com/acme/a/blob/main/docs/x.md"', 'href="#user-content-use"', 'id="user-content-use"',
            'src="https://github.com/acme/a/raw/main/logo.png"', 'rel="nofollow noindex noopener external ugc"',
        ):  # fmt: skip
            self.assertIn(part, html)
        self.assertIn("gitlab.com/acme/team/a/-/raw/main/sub/i.png", render("![i](i.png)", "sub/README.md", "https://gitlab.com/acme/team/a"))
        self.assertNotIn("<img", render("![i](i.png)", repository="https://git.example.com/a.git").replace('<img alt="i">', ""))

    def test_nothing_dangerous(self) -> None:
        """No script, no style, no handler, no odd scheme, whatever is written."""
        html = render(
            "<script>alert(1)</script><style>a{}</style><img src=x onerror=alert(1)><iframe src=//x></iframe>"
            "[j](javascript:alert(1)) [d](data:text/html,x) <a href='JaVaScRiPt:1'>x</a> <form><input></form>"
            "<p style='x' class='y' onclick='z'>p</p>"
        )
        for part in ("<script", "alert(1)</", "<style", "onerror", "onclick", "<iframe", "javascript:", "data:", "<form", "style=", "JaVa"):
            self.assertNotIn(part, html.replace("[j](javascript:alert(1))", "").replace("[d](data:text/html,x)", ""))

    def test_plain(self) -> None:
        """Other text as it stands; nothing of nothing; endless ones are cut."""
        self.assertEqual("<pre>a &lt;b&gt;", render("a <b>", "README").removesuffix("</pre>"))
        self.assertEqual("", render("  \n"))
        self.assertLess(len(render("x" * (2 << 20), "README.txt")), 600_000)
        self.assertIn("�", rendered_readme("README.md", b"\xff", repository=None, branch=None) or "")
