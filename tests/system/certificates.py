"""Certificate authorities for tests, and what they sign: openssl, as an operator uses it."""

from dataclasses import dataclass
from pathlib import Path

from netlab import run

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path

    @property
    def fields(self) -> str:
        """Of the sections `api` and `client` of a control's configuration."""
        return f'tls_certificate: "{self.certificate}" tls_key: "{self.key}"'


class Authority:
    def __init__(self, directory: Path, name: str):
        self.directory = directory / name
        self.directory.mkdir()
        self.certificate = self.directory / "ca.pem"
        self.key = self.directory / "ca.key"
        run("openssl", "req", "-x509", *KEY, "-days", "2", "-subj", f"/CN={name}", "-keyout", self.key,
            "-out", self.certificate)  # fmt: skip

    def issue(self, name: str, days: int = 2, address: str = "") -> Certificate:
        """A certificate for `name`, good for that many days from now: negative, it has expired."""
        issued = Certificate(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName=IP:{address}\n" if address else "")
        run("openssl", "req", *KEY, "-subj", f"/CN={name}", "-keyout", issued.key, "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-days", days, "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-extfile", extensions, "-out", issued.certificate)  # fmt: skip
        return issued
