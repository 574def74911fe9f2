"""
Reading all refs of an open checkout into versions, in bounded batches.

A manifest is parsed once for each content, however many tags have it: 223 tags have some 60 of them, and 700 tags of
180 packages far fewer than 126,000.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from packeton.adapters.children import Outlet
from packeton.adapters.vcs.checkout import LINKED, Checkout, Tip
from packeton.adapters.vcs.values import VcsBounds
from packeton.core.composer.manifests import Manifest
from packeton.core.composer.monorepos import find_directories
from packeton.core.composer.sources import Named, Skipped, branch_version, manifest_of, of_branch, of_tag, tag_version
from packeton.errors import Invalid
from packeton.interfaces.vcs import Crawl, CrawlPlan, FileContent, Reading, Ref, RefKind, RefReading

__all__ = ["crawl"]

NEVER = datetime.fromtimestamp(0, UTC)
MAX_MANIFESTS = 2000
MAX_README_BYTES_ALL = 32 * 2**20
NOTHING = frozenset({b"{}", b"[]", b"null"})
"""A composer.json with that in it is none to Composer."""
Identity = tuple[str, str | None, bool]
"""The content, the name that it gets, and if its version counts."""
Parsed = tuple[str | None, Manifest | Invalid | None]
READMES = ("readme.md", "readme.markdown", "readme.txt", "readme")


def crawl(checkout: Checkout, plan: CrawlPlan, bounds: VcsBounds, outlet: Outlet, url: str) -> Crawl:
    """Deliver tuples of RefReading; return the rest."""
    return _Crawler(checkout, plan, bounds, outlet, url).run()


class _Crawler:
    def __init__(self, checkout: Checkout, plan: CrawlPlan, bounds: VcsBounds, outlet: Outlet, url: str) -> None:
        self._checkout = checkout
        self._plan = plan
        self._bounds = bounds
        self._outlet = outlet
        self._url = url
        self._manifests: OrderedDict[Identity, Manifest | Invalid | None] = OrderedDict()
        self._seen: dict[str, dict[str, str]] = {}
        self._names: dict[str, str] = {}
        self._commits: dict[str, str] = {}

    def run(self) -> Crawl:
        tips = self._ordered(self._checkout.tips())
        default = self._default(tips)
        directories = self._directories(default)
        self._names = self._names_on(default, directories)
        self._deliver_all(tips, directories)
        return Crawl(
            kind=self._checkout.kind,
            refs=self._commits,
            default_branch=self._checkout.default,
            default_commit=default,
            directories=directories,
            names=self._names,
            readmes=self._readmes(default, directories),
            lock=self._file(default, "composer.lock", self._bounds.max_lock_bytes),
            manifest=self._file(default, "composer.json", self._bounds.max_manifest_bytes),
        )

    def _ordered(self, tips: Sequence[Tip]) -> list[Tip]:
        """Put the default branch before the other branches."""
        branch, default = RefKind.BRANCH, self._checkout.default
        return sorted(tips, key=lambda tip: (tip.kind == branch, tip.kind == branch and tip.name != default))

    def _default(self, tips: Sequence[Tip]) -> str | None:
        for tip in tips:
            if tip.kind == RefKind.BRANCH and tip.name == self._checkout.default:
                followed = self._checkout.follow(tip)
                return None if followed is None else followed[0]
        return None

    def _directories(self, default: str | None) -> tuple[str, ...]:
        if not self._plan.globs or default is None:
            return self._plan.directories
        paths = (entry.path.decode(errors="replace") for entry in self._checkout.entries(default, ""))
        found = find_directories(paths, self._plan.globs, self._plan.excluded)
        return tuple(dict.fromkeys((*self._plan.directories, *found)))

    def _names_on(self, default: str | None, directories: Sequence[str]) -> dict[str, str]:
        names = {}
        for directory in directories:
            manifest = None if default is None else self._manifest(default, directory, None, versioned=False)[1]
            if isinstance(manifest, Manifest) and manifest.name:
                names[directory] = manifest.name
        return names

    def _deliver_all(self, tips: Sequence[Tip], directories: Sequence[str]) -> None:
        named = {tip.key: _named(tip) for tip in tips}
        rivals = Counter(_place(tip, name) for tip in tips if isinstance(name := named[tip.key], Named))
        batch: list[RefReading] = []
        readings = size = 0
        for tip in tips:
            name = named[tip.key]
            contested = isinstance(name, Named) and rivals[_place(tip, name)] > 1
            reading = self._read_ref(tip, name, directories, contested=contested)
            batch.append(reading)
            readings += len(reading.readings)
            size += sum(len(item.manifest or b"") for item in reading.readings)
            bounds = self._bounds
            if len(batch) >= bounds.batch_refs or readings >= bounds.batch_readings or size >= bounds.batch_bytes:
                self._outlet.deliver(tuple(batch))
                batch, readings, size = [], 0, 0
        if batch:
            self._outlet.deliver(tuple(batch))

    def _read_ref(self, tip: Tip, named: Named | str, directories: Sequence[str], *, contested: bool) -> RefReading:
        followed = self._checkout.follow(tip)
        if followed is None:
            ref = Ref(kind=tip.kind, name=tip.name, commit="", time=NEVER)
            return RefReading(ref=ref, skipped=f"Skipped {tip.kind} {tip.name}, it leads to no commit")
        commit, time = followed
        is_default = tip.kind == RefKind.BRANCH and tip.name == self._checkout.default
        ref = Ref(kind=tip.kind, name=tip.name, commit=commit, time=time, default=is_default)
        self._commits[ref.key] = commit
        if isinstance(named, str):
            return RefReading(ref=ref, skipped=named)
        if not contested and self._plan.known.get(ref.key) == commit and not self._default_moved(ref):
            return RefReading(ref=ref, unchanged=True)
        found = (self._read(ref, named, directory) for directory in directories)
        return RefReading(ref=ref, readings=tuple(reading for reading in found if reading is not None))

    def _default_moved(self, ref: Ref) -> bool:
        before = self._plan.known_default
        if ref.kind != RefKind.BRANCH or before is None or before == self._checkout.default:
            return False
        return ref.default or ref.name == before

    def _read(self, ref: Ref, named: Named, directory: str) -> Reading | None:
        tree, manifest, raw = self._manifest_of(ref, directory)
        if manifest is None:
            if len(self._plan.directories) == 1 and not self._plan.globs:
                return Reading(directory=directory, skipped=f"Skipped {ref.kind} {ref.name}, no composer file")
            return None
        if not self._plan.render:
            return Reading(directory=directory, tree=tree, manifest=raw)
        try:
            if isinstance(manifest, Invalid):
                raise manifest
            version = self._render(ref, named, directory, manifest)
        except Skipped as skipped:
            return Reading(directory=directory, tree=tree, skipped=str(skipped))
        except Invalid as error:
            return Reading(directory=directory, tree=tree, invalid=f"Skipped {ref.kind} {ref.name}, {error}")
        return Reading(directory=directory, tree=tree, version=version, warnings=tuple(manifest.warnings))

    def _render(self, ref: Ref, named: Named, directory: str, manifest: Manifest) -> Mapping[str, Any]:
        source = None
        if self._plan.with_source:
            source = {"type": str(self._checkout.kind), "url": self._url, "reference": ref.commit}
        if ref.kind == RefKind.TAG:
            version = of_tag(ref.name, named, manifest, source=source, time=ref.time)
        else:
            version = of_branch(named, manifest, source=source, time=ref.time, default=ref.default)
        normalized = version["version_normalized"]
        other = self._seen.setdefault(directory, {}).setdefault(normalized, ref.name)
        if other != ref.name:
            told = f"it conflicts with another {ref.kind} ({other}) as both resolve to {normalized} internally"
            raise Skipped(f"Skipped {ref.kind} {ref.name}, {told}")
        return version

    def _manifest_of(self, ref: Ref, directory: str) -> tuple[str | None, Manifest | Invalid | None, bytes | None]:
        name = self._plan.name or self._names.get(directory)
        tree, manifest = self._manifest(ref.commit, directory, name, versioned=ref.kind == RefKind.TAG)
        raw = None
        if not self._plan.render and manifest is not None:
            found = self._checkout.find(ref.commit, directory)
            raw = self._plan.manifest if found is None else self._checkout.content(found.manifest)
        return tree, manifest, raw

    def _manifest(self, commit: str, directory: str, name: str | None, *, versioned: bool) -> Parsed:
        """Return the tree and the manifest of a directory; the manifest may be one that cannot be read, or None."""
        if self._plan.manifest is not None:
            return None, self._parsed(("", name, versioned), lambda: self._plan.manifest or b"")
        found = self._checkout.find(commit, directory)
        if found is None:
            return None, None
        if found.is_link:
            return found.tree, Invalid(LINKED)
        identity = (found.manifest, name, versioned)
        return found.tree, self._parsed(identity, lambda: self._checkout.content(found.manifest))

    def _parsed(self, identity: Identity, content: Callable[[], bytes]) -> Manifest | Invalid | None:
        if identity in self._manifests:
            self._manifests.move_to_end(identity)
            return self._manifests[identity]
        manifest: Manifest | Invalid | None
        data = content()
        try:
            if len(data) > self._bounds.max_manifest_bytes:
                raise Invalid("composer.json is too large")
            _, name, versioned = identity
            is_none = not data.strip() or (bool(identity[0]) and b"".join(data[:64].split()) in NOTHING)
            manifest = None if is_none else manifest_of(data, name=name, versioned=versioned)
        except Invalid as error:
            manifest = error.with_traceback(None)
        self._manifests[identity] = manifest
        if len(self._manifests) > MAX_MANIFESTS:
            self._manifests.popitem(last=False)
        return manifest

    def _readmes(self, default: str | None, directories: Sequence[str]) -> dict[str, FileContent]:
        readmes, left = {}, MAX_README_BYTES_ALL
        for directory in directories if default is not None else ():
            readme = self._readme(default or "", directory)
            if readme is not None and len(readme.content) <= left:
                left -= len(readme.content)
                readmes[directory] = readme
        return readmes

    def _readme(self, commit: str, directory: str) -> FileContent | None:
        """Source: the reference looks for the file that composer.json names, else for README in some spellings."""
        manifest = self._manifest(commit, directory, self._names.get(directory), versioned=False)[1]
        named = manifest.document.get("readme") if isinstance(manifest, Manifest) else None
        names = self._checkout.listing(commit, directory)
        by_lower = {name.lower(): name for name in sorted(names, reverse=True)}
        candidates = [named] if isinstance(named, str) and ".." not in named.split("/") else []
        candidates += [by_lower[name] for name in READMES if name in by_lower]
        for candidate in candidates:
            path = f"{directory}/{candidate}".strip("/")
            content = self._file(commit, path, self._bounds.max_readme_bytes)
            if content is not None:
                return FileContent(path=path, content=content)
        return None

    def _file(self, commit: str | None, path: str, max_bytes: int) -> bytes | None:
        content = None if commit is None else self._checkout.read(commit, path)
        return None if content is None or len(content) > max_bytes else content


def _named(tip: Tip) -> Named | str:
    """Return the version that a ref's name gives, or why it gives none."""
    if not tip.is_text:
        return f"Skipped {tip.kind} {tip.name}, its name is not UTF-8"
    try:
        return tag_version(tip.name) if tip.kind == RefKind.TAG else branch_version(tip.name)
    except Skipped as skipped:
        return str(skipped)


def _place(tip: Tip, named: Named) -> tuple[str, str]:
    return tip.kind, named.normalized
