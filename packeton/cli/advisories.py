"""`packeton advisory`: security advisories about our own packages."""

from collections.abc import Sequence
from typing import Any

import click

from packeton.assembly.server import Parts
from packeton.cli.accounts import as_json, print_json, print_table
from packeton.cli.options import settings_options
from packeton.cli.running import CONSOLE, all_packages, package_named, with_parts
from packeton.core.composer.advisories import Advisory
from packeton.core.composer.advisory_forms import SEVERITIES, as_published
from packeton.features.advisories.own import advisories_of

__all__ = ["advisory"]


@click.group()
def advisory() -> None:
    """What `composer audit` is told about our own packages. Works beside a running server."""


@advisory.command()
@settings_options
@click.argument("package")
@click.option("--affected", required=True, metavar="CONSTRAINT", help="The versions that have it: `<1.2.3`.")
@click.option("--title", required=True, help="What it is, in one line.")
@click.option("--id", "number", help="What it is called, if not PKTN-…; one that is there is replaced.")
@click.option("--cve", help="CVE-…")
@click.option("--link", help="Where more is said.")
@click.option("--severity", type=click.Choice(SEVERITIES))
@click.option("--reported", metavar="DATE", help="Since when it is known; default: now.")
@as_json
def add(
    paths: tuple[str, ...], data: str | None, package: str, *,
    affected: str, title: str, number: str | None, cve: str | None, link: str | None, severity: str | None,
    reported: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Write an advisory about PACKAGE down."""
    fields = {
        "advisoryId": number, "affectedVersions": affected, "title": title, "cve": cve, "link": link,
        "severity": severity, "reportedAt": reported,
    }  # fmt: skip

    async def work(parts: Parts, _: Any) -> Advisory:
        return await parts.packages.advisories.write(await package_named(parts, package), fields, CONSOLE)

    written = with_parts(paths, data, work)
    if as_json:
        print_json(as_published(written))
    else:
        click.echo(f"{written.id} about {package} was written down")


@advisory.command(name="list")
@settings_options
@click.argument("package", required=False)
@as_json
def list_advisories(paths: tuple[str, ...], data: str | None, package: str | None, *, as_json: bool) -> None:
    """List the advisories about PACKAGE, or about all packages."""

    async def work(parts: Parts, _: Any) -> Sequence[Advisory]:
        packages = [await package_named(parts, package)] if package else await all_packages(parts)
        return [one for about in packages for one in advisories_of(about)]

    found = with_parts(paths, data, work)
    if as_json:
        print_json([as_published(one) for one in found])
        return
    head = ("Package", "Advisory", "Affected", "Severity", "CVE", "Title")
    print_table(head, [(one.package, one.id, one.affected, one.severity, one.cve, one.title) for one in found])


@advisory.command()
@settings_options
@click.argument("package")
@click.argument("number", metavar="ID")
def remove(paths: tuple[str, ...], data: str | None, package: str, number: str) -> None:
    """Take the advisory ID about PACKAGE back."""

    async def work(parts: Parts, _: Any) -> None:
        await parts.packages.advisories.withdraw(await package_named(parts, package), number, CONSOLE)

    with_parts(paths, data, work)
    click.echo(f"{number} about {package} was withdrawn")
