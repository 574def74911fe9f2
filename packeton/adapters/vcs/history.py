"""Which commits lie between two."""

from collections.abc import Sequence

from dulwich.objects import ObjectID
from dulwich.walk import Walker

from packeton.adapters.vcs.mirror import Mirror

__all__ = ["subjects"]

MAX_SUBJECT_CHARACTERS = 500
MAX_WALKED = 200_000


def subjects(mirror: Mirror, from_: str, to: str, most: int) -> Sequence[str]:
    """
    Return the first lines of the commits in `from_..to`, newest first, without merges, each text once.

    Source: the reference's changelog: trimmed of spaces, tabs and dashes, without duplicates.
    """
    walker = Walker(
        mirror.store, [ObjectID(to.encode())], exclude=[ObjectID(from_.encode())], max_entries=MAX_WALKED
    )
    found: dict[str, None] = {}
    for entry in walker:
        if len(entry.commit.parents) > 1:
            continue
        text = entry.commit.message.decode(errors="replace").strip()
        subject = text.split("\n", 1)[0].strip(" \t-\r")[:MAX_SUBJECT_CHARACTERS]
        if subject:
            found.setdefault(subject)
        if len(found) >= most:
            break
    return list(found)
