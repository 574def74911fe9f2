"""The description of the API and its routes are the same."""

import re
from importlib import import_module
from inspect import getmembers, isclass, signature
from pkgutil import iter_modules
from typing import Any
from unittest import TestCase

from klein import Klein

from packeton.web import api
from packeton.web.admin.apidoc import chapters
from packeton.web.api.openapi import OpenApiRoutes, description

ALIASES = {
    "/packages/list.json", "/packages/{}/{}.json", "/packages/{}/{}/changelog", "/packages/{}/dependents.json",
    "/api/packages/{}/dependents", "/jobs/{}", "/packages/upload/{}/{}/{}", "/explore/popular.json",
    "/api/webhook-invoke", "/packages/{}/{}/stats/{}.json",
}
"""Other names of routes that are described."""
OTHERS = {"/api/healthz", "/api/packages/{}/{}/dependents", "/packages/{}/{}/stats/all.json"}
"""Described, and routed elsewhere or under a wider pattern."""
METHODS = {"get", "put", "post", "delete"}


def groups() -> list[Any]:
    """Return all groups of routes of the API: whoever adds one describes it."""
    modules = [import_module(f"{api.__name__}.{one.name}") for one in iter_modules(api.__path__)]
    found = [kind for module in modules for _, kind in getmembers(module, isclass) if kind.__module__ == module.__name__]
    return [kind for kind in found if hasattr(kind, "install") and kind is not OpenApiRoutes]


def routes() -> dict[str, set[str]]:
    app = Klein()
    for made in groups():
        made(*[None] * len(signature(made).parameters)).install(app)
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "{}", rule.rule)
        found.setdefault(path, set()).update(method.lower() for method in rule.methods or ())
    return found


class OpenApiTests(TestCase):
    """Paths and methods."""

    def test_same_routes(self) -> None:
        """What is described is routed, with its methods, and the other way round."""
        described = {re.sub(r"\{[^}]+\}", "{}", path): METHODS & item.keys() for path, item in description()["paths"].items()}
        routed = routes()
        self.assertEqual(set(), described.keys() - routed.keys() - OTHERS)
        self.assertEqual(set(), routed.keys() - described.keys() - ALIASES)
        for path in described.keys() & routed.keys():
            self.assertLessEqual(described[path], routed[path], path)

    def test_page(self) -> None:
        """The page tells every operation, with its fields and answers."""
        told = [operation for chapter in chapters(description()) for operation in chapter.operations]
        described = {(method.upper(), path) for path, item in description()["paths"].items() for method in METHODS & item.keys()}
        self.assertEqual(described, {(operation.method, operation.path) for operation in told})
        by_path = {(operation.method, operation.path): operation for operation in told}
        submission = {one.name: one for one in by_path["POST", "/api/create-package"].fields}
        self.assertEqual(("vcs | mono-repo | artifact | custom | virtual | proxy | asset", "list of integer", "integer or null"), (submission["repoType"].kind, submission["archives"].kind, submission["credentials"].kind))
        self.assertLessEqual(submission.keys(), {one.name for one in by_path["PUT", "/api/packages/{vendor}/{name}"].fields})
        self.assertIn(("202", "Stored; a job reads it"), by_path["POST", "/api/create-package"].answers)

    def test_references(self) -> None:
        """Every reference leads somewhere, every operation has a name of its own."""
        document = description()
        names = [operation["operationId"] for item in document["paths"].values() for method, operation in item.items() if method in METHODS]
        self.assertEqual(len(names), len(set(names)))

        def check(value: Any) -> None:
            if isinstance(value, dict):
                self.assertNotIn(None, value.values(), "a comma outside quotes ends a text of YAML")
                if "$ref" in value:
                    target: Any = document
                    for part in value["$ref"].removeprefix("#/").split("/"):
                        target = target[part]
                for one in value.values():
                    check(one)
            elif isinstance(value, list):
                for one in value:
                    check(one)

        check(document)
