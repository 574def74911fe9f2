"""README files as HTML that is safe to show. Takes time: off the reactor thread."""

import re
from html import escape
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urljoin, urlsplit

import nh3
from markdown_it import MarkdownIt

__all__ = ["cleaned_readme", "rendered_readme"]

MAX_BYTES = 512 * 1024
MARKDOWN: Final = frozenset({".md", ".markdown", ".mkd", ".mkdn", ".mdown"})
TAGS: Final = {
    "a", "abbr", "b", "blockquote", "br", "caption", "center", "code", "col", "colgroup", "dd", "del", "details", "div",
    "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "picture", "pre",
    "q", "rp", "rt", "ruby", "s", "samp", "section", "small", "source", "span", "strike", "strong", "sub", "summary",
    "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
}  # fmt: skip
ATTRIBUTES: Final = {
    "*": {"align", "id", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "source": {"srcset", "media"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "code": {"class"},
    "ol": {"start"},
}
FORGES: Final = {"github.com": ("blob", "raw"), "gitlab.com": ("-/blob", "-/raw"), "bitbucket.org": ("src", "raw")}
REL = "nofollow noindex noopener external ugc"
FIRST_HEADING = re.compile(r"\A\s*<h[12][^>]*>.*?</h[12]>\s*", re.DOTALL)
ANCHOR = "user-content-"
FORGE_URL = re.compile(
    r"(?:https?://|ssh://git@|git@|git://)(github\.com|gitlab\.com|bitbucket\.org)[:/]([\w.-]+(?:/[\w.-]+)+)"
)


def rendered_readme(path: str, content: bytes, *, repository: str | None, branch: str | None) -> str | None:
    """
    Return the HTML of a README, or None where there is nothing to show.

    Markdown is rendered, other text is shown as it stands. Only an allow-list of elements is left; links get a `rel`
    that vouches for nothing, anchors a prefix; relative addresses lead to the forge, where it is a known one; the first
    heading goes, since the page has the package's name.
    Source: contract 04 section 3, the reference's ReadmeParser.
    """
    text = content[:MAX_BYTES].decode("utf-8", "replace").replace("\0", "")
    if not text.strip():
        return None
    if PurePosixPath(path).suffix.lower() not in MARKDOWN:
        return f"<pre>{escape(text)}</pre>"
    html = MarkdownIt("gfm-like", {"linkify": False, "html": True}).disable("linkify").render(text)
    return cleaned_readme(html, _places(repository, branch, path))


def cleaned_readme(html: str, places: tuple[str, str] | None) -> str | None:
    """
    Return what of a README's HTML may be shown; None where nothing is left.

    Args:
        places: What relative links, and relative images, are relative to; None where that is not known.
    """

    def absolute(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "id":
            return ANCHOR + value.removeprefix(ANCHOR)
        if attribute == "href" and value.startswith("#"):
            return f"#{ANCHOR}{value[1:].removeprefix(ANCHOR)}"
        if attribute in {"href", "src"} and _is_relative(value):
            return urljoin(places[tag == "img"], value.lstrip("/")) if places else None if tag == "img" else value
        return value

    cleaned = nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=absolute,
        url_schemes={"http", "https", "mailto"},
        link_rel=REL,
    )
    return FIRST_HEADING.sub("", cleaned, count=1).strip() or None


def _is_relative(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and bool(parts.path)


def _places(repository: str | None, branch: str | None, path: str) -> tuple[str, str] | None:
    """Return what relative links and images of a README are relative to; None where that is not known."""
    match = FORGE_URL.fullmatch((repository or "").rstrip("/").removesuffix(".git"))
    if match is None or not branch:
        return None
    page, raw = FORGES[match[1]]
    folder = str(PurePosixPath(path).parent)
    inside = "" if folder == "." else f"{folder}/"
    base = f"https://{match[1]}/{match[2]}"
    return f"{base}/{page}/{branch}/{inside}", f"{base}/{raw}/{branch}/{inside}"
