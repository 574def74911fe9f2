"""OpenLDAP's server with some people in it, in a process of its own."""

import shutil
import signal
import subprocess
from pathlib import Path

from tests.support.server import await_port, free_port

__all__ = ["SLAPD", "Slapd"]

SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/libexec")
SCHEMAS = Path("/etc/ldap/schema")
MODULES = Path("/usr/lib/ldap")
BASE = "dc=example,dc=com"
SEARCHER = f"cn=searcher,{BASE}"
PEOPLE = """\
dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=searcher,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: searcher
userPassword: searching

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people
"""
PERSON = """
dn: {key}={uid},ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: {uid}
cn: {cn}
sn: {cn}
employeeType: {kind}
userPassword: {password}
"""


class Slapd:
    """People: Eva (staff), max (customer), `odd*(name)` (staff), and two that share a `cn`."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None, authority: Path | None = None) -> None:
        assert SLAPD is not None
        self.port, self.tls_port = free_port(), free_port()
        (folder / "db").mkdir(parents=True)
        lines = [f"include {SCHEMAS}/{name}.schema" for name in ("core", "cosine", "inetorgperson")]
        lines += [f"modulepath {MODULES}", "moduleload back_mdb", f"pidfile {folder}/pid"]
        if certificate is not None:
            lines += [f"TLSCertificateKeyFile {certificate[0]}", f"TLSCertificateFile {certificate[1]}", f"TLSCACertificateFile {authority}"]
        lines += ["database mdb", f"suffix {BASE}", f"directory {folder}/db", "maxsize 10485760"]
        lines += ["access to attrs=userPassword by anonymous auth by * none"]
        lines += [f'access to * by dn.exact="{SEARCHER}" read by users read by * none']
        config, ldif = folder / "slapd.conf", folder / "people.ldif"
        config.write_text("\n".join(lines) + "\n")
        people = [
            ("uid", "Eva", "Eva", "staff", "evas secret"), ("uid", "max", "Max", "customer", "maxs secret"),
            ("uid", "odd*(name)", "Twin", "staff", "odds secret"), ("uid", "pia", "Twin", "staff", "pias secret"),
        ]  # fmt: skip
        ldif.write_text(
            PEOPLE + "".join(PERSON.format(key=key, uid=uid, cn=cn, kind=kind, password=word) for key, uid, cn, kind, word in people)
        )
        add = [str(Path(SLAPD).with_name("slapadd")), "-f", str(config), "-l", str(ldif)]
        subprocess.run(add, check=True, capture_output=True, timeout=20)
        urls = f"ldap://127.0.0.1:{self.port}/" + (f" ldaps://127.0.0.1:{self.tls_port}/" if certificate else "")
        command = [SLAPD, "-d", "0", "-f", str(config), "-h", urls]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            await_port(self.port, self.process)
        except OSError:
            self.stop()
            raise

    def stall(self) -> None:
        """Let it take connections and say nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.go_on()
        self.process.kill()
        self.process.wait(10)
