"""
What the reference's files say in its framework's own sections, in our words.

Read are LDAP logins, trusted proxies and hosts, the secret, the mail server, the database and CORS; everything else in
these sections is refused by its path. What `packeton` says itself wins. Source: contract 09 section 3 of the reference,
and Symfony's configuration reference for the shape of its sections.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from packeton.config.tree import Tree
from packeton.errors import ConfigurationInvalid

__all__ = ["translate"]

ADAPTER: Final = "Symfony\\Component\\Ldap\\Adapter\\ExtLdap\\Adapter"
LDAP: Final = "Symfony\\Component\\Ldap\\Ldap"
PLAIN: Final = {
    "framework.secret": "app_secret",
    "framework.trusted_proxies": "trusted_proxies",
    "framework.trusted_hosts": "trusted_hosts",
    "framework.mailer.dsn": "mail.dsn",
    "doctrine.dbal.url": "database.url",
    "nelmio_cors.defaults.allow_origin": "cors_allow_origin",
}
"""Where the reference has it → our option."""
HARMLESS: Final = frozenset({"framework.trusted_headers", "nelmio_cors.defaults.origin_regex", "services._defaults"})
"""Say what is so in any case."""
SAME: Final = ("base_dn", "search_dn", "search_password", "uid_key", "filter", "default_roles")
"""Members of an LDAP provider that have our names."""
SERVERS: Final = {"none": "ldap", "tls": "ldap", "ssl": "ldaps"}
MEMBERS: Final = frozenset({*SAME, "service", "extra_fields", "password_attribute"})
SECTIONS: Final = ("framework", "doctrine", "nelmio_cors", "services", "security")
Part = tuple[str, str, Any]
"""A path in the reference's file, our path below `packeton`, and a value."""


def translate(tree: Tree) -> None:
    """Move what these sections say into `packeton`. Raises ConfigurationInvalid, naming what is not supported."""
    sections: dict[str, Any] = {name: tree.values.pop(name) or {} for name in SECTIONS if name in tree.values}
    below: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for theirs, ours, value in _parts(tree, sections):
        *parents, last = ours.split(".")
        at = below
        for name in parents:
            at = at.setdefault(name, {})
        at[last] = value
        origins[f"packeton.{ours}"] = tree.origins.get(theirs, theirs)
    if below:
        tree.merge_below({"packeton": below}, origins)


def _parts(tree: Tree, sections: Mapping[str, Any]) -> Iterator[Part]:
    for name in sections:
        if name not in {"services", "security"}:
            yield from _plain(tree, name, sections[name])
    services, security = (tree.mapping(name, sections.get(name)) for name in ("services", "security"))
    yield from _ldap(tree, services, security)


def _plain(tree: Tree, path: str, value: Any) -> Iterator[Part]:
    if path in HARMLESS:
        return
    if path in PLAIN:
        yield path, PLAIN[path], _spelled(path, value)
    elif isinstance(value, Mapping) and any(known.startswith(f"{path}.") for known in (*PLAIN, *HARMLESS)):
        for key, inner in value.items():
            yield from _plain(tree, f"{path}.{key}", inner)
    else:
        raise _refused(tree, path)


def _spelled(path: str, value: Any) -> Any:
    """Write a value as ours are written: one expression instead of a list."""
    if path.endswith(".allow_origin") and isinstance(value, list):
        return "|".join(f"(?:{one})" for one in value) if len(value) > 1 else next(iter(value), None)
    return value


def _ldap(tree: Tree, services: Mapping[str, Any], security: Mapping[str, Any]) -> Iterator[Part]:
    servers = _servers(tree, services)
    for key in security:
        if key != "providers":
            raise _refused(tree, f"security.{key}")
    providers = tree.mapping("security.providers", security.get("providers"))
    for name, provider in providers.items():
        if not isinstance(provider, Mapping) or not {"ldap", "chain"} >= set(provider):
            raise _refused(tree, f"security.providers.{name}")
    parameters = tree.mapping("parameters", tree.values.get("parameters"))
    login = tree.mapping("parameters.default_login_options", parameters.get("default_login_options"))
    if "ldap" not in str(parameters.get("default_login_provider", "")):
        return
    chain = _chain(providers, str(login.get("provider", "all_users")))
    used = [name for name in chain if "ldap" in (providers.get(name) or {})]
    if not used:
        raise tree.invalid("parameters.default_login_provider", "no LDAP provider is in security.providers")
    yield "security.providers", "ldap.first", chain[0] == used[0]
    for name in used:
        yield from _provider(tree, name, providers[name]["ldap"], servers, login)


def _chain(providers: Mapping[str, Any], name: str) -> list[str]:
    """Return the names of the providers that *name* stands for, in their order."""
    chained = (providers.get(name) or {}).get("chain")
    named = chained.get("providers") if isinstance(chained, Mapping) else None
    if isinstance(named, str):
        return [part.strip() for part in named.split(",")]
    return [str(one) for one in named] if isinstance(named, list) and named else [name]


def _provider(
    tree: Tree, name: str, given: Any, servers: Callable[[str], Mapping[str, Any]], login: Mapping[str, Any]
) -> Iterator[Part]:
    path = f"security.providers.{name}.ldap"
    for key in tree.mapping(path, given):
        if key not in MEMBERS:
            raise _refused(tree, f"{path}.{key}")
    ours = f"ldap.providers.{name}"
    for key, value in servers(str(given.get("service", LDAP))).items():
        yield f"{path}.service", f"{ours}.{key}", value
    for key in SAME:
        if given.get(key) is not None:
            yield f"{path}.{key}", f"{ours}.{key}", _renamed(given[key])
    pattern = login.get("dn_string")
    if pattern is not None and not login.get("query_string"):  # with a query, the DN is what the search finds
        yield "parameters.default_login_options.dn_string", f"{ours}.login_dn", _renamed(pattern)


def _renamed(value: Any) -> Any:
    return value.replace("{user_identifier}", "{username}") if isinstance(value, str) else value


def _servers(tree: Tree, services: Mapping[str, Any]) -> Callable[[str], Mapping[str, Any]]:
    """Read the services about LDAP; return what finds server and encryption of one of them."""
    adapters: dict[str, Mapping[str, Any]] = {}
    clients: dict[str, str] = {}
    for name, service in services.items():
        path = f"services.{name}"
        if path in HARMLESS:
            continue
        held = service if isinstance(service, Mapping) else {}
        kind, arguments = held.get("class", name), held.get("arguments")
        listed = list(arguments.values()) if isinstance(arguments, Mapping) else arguments
        first = listed[0] if isinstance(listed, list) and listed else None
        if kind == ADAPTER and isinstance(first, Mapping):
            adapters[name] = _server(tree, path, first)
        elif kind == LDAP and isinstance(first, str):
            clients[name] = first.removeprefix("@")
        else:
            raise _refused(tree, path)

    def server_of(service: str) -> Mapping[str, Any]:
        found = adapters.get(clients.get(service, ADAPTER))
        if found is None:
            raise tree.invalid(f"services.{service}", "is no LDAP client with a host")
        return found

    return server_of


def _server(tree: Tree, path: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in given:
        if key not in {"host", "port", "encryption", "options", "version"}:
            raise _refused(tree, f"{path}.arguments[0].{key}")
    encryption = str(given.get("encryption") or "none")
    if encryption not in SERVERS or not isinstance(given.get("host"), str):
        raise tree.invalid(f"{path}.arguments[0]", "must have a host, and encryption none, ssl or tls")
    port = given.get("port") or (636 if encryption == "ssl" else 389)
    return {"server": f"{SERVERS[encryption]}://{given['host']}:{port}", "start_tls": encryption == "tls"}


def _refused(tree: Tree, path: str) -> ConfigurationInvalid:
    return tree.invalid(path, "not supported; what is read of the framework's sections, docs/moving.md says")
