"""Our own packages beside a mirror: what is ours never comes from upstream."""

from typing import ClassVar

from tests.scenarios.test_packages import PackagesTestCase
from tests.support.client import fetch
from tests.support.files import FileOrigin
from tests.support.shapes import make_shape


class PrivateNameTests(PackagesTestCase):
    """A public upstream that has a package of one of our names."""

    names = ("acme/front",)
    origins: ClassVar[dict[str, FileOrigin]] = {}

    @classmethod
    def settings(cls) -> dict[str, object]:
        mirrors = {}
        for shape in ("v2", "satis"):
            cls.origins[shape] = FileOrigin(lambda base, shape=shape: make_shape(shape, base))
            cls.addClassCleanup(cls.origins[shape].stop)
            mirrors[shape] = {"url": f"{cls.origins[shape].base}/repo", "public_access": True}
        return {"mirrors": mirrors}

    def test_nowhere(self) -> None:
        """Not in metadata of either generation, nor in lists, files or dists; others are; upstream is not asked."""
        for shape in ("v2", "satis"):
            base = f"{self.server.url}/mirror/{shape}"
            for path in (
                "p2/acme/front.json", "p2/acme/front~dev.json", "pkg/acme/front.json",
                f"zipball/acme/front/1.0.0.0/ref{'a' * 40}.zip",
            ):  # fmt: skip
                answer = fetch(f"{base}/{path}")
                self.assertEqual(404, answer.status, path)
                self.assertIn("a package of our own", answer.json()["detail"])
            self.assertEqual(200, fetch(f"{base}/p2/acme/lib.json").status)
            self.assertEqual([], [path for path in self.origins[shape].asked if "front" in path])
        base = f"{self.server.url}/mirror/satis"
        self.assertEqual(["acme/lib", "acme/null"], fetch(f"{base}/packages.json").json()["available-packages"])
        ((path, _),) = fetch(f"{base}/packages.json?ua=1").json()["includes"].items()
        self.assertEqual({"acme/lib", "acme/null"}, set(fetch(f"{base}/{path}").json()["packages"]))
