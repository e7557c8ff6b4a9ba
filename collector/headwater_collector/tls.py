"""TLS of the doors and of the API, from certificate files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from headwater_analysis.errors import UsageError


@dataclass(frozen=True)
class Tls:
    """A certificate with its key, for servers of both kinds."""

    context: ssl.SSLContext
    """For HTTP."""
    certificate: bytes
    """PEM, with the chain; for gRPC, which brings a TLS of its own."""
    key: bytes
    """PEM"""

    @classmethod
    def load(cls, certificate: Path, key: Path) -> Tls:
        """Raises UsageError naming the file that is wrong."""
        texts = [_read(certificate, "--tls-cert"), _read(key, "--tls-key")]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])

        def no_password() -> str:
            raise UsageError(f"--tls-key {key} asks for a password; give a key file without one.")

        try:
            context.load_cert_chain(certificate, key, no_password)
        except ssl.SSLError as error:
            if "KEY_VALUES_MISMATCH" in str(error.reason):
                raise UsageError(f"--tls-key {key} does not belong to --tls-cert {certificate}.") from None
            raise UsageError(
                f"--tls-cert {certificate} and --tls-key {key} cannot be used: they must hold a certificate "
                "(its chain after it) and its key in PEM."
            ) from None
        return cls(context, *texts)


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{option} {path} cannot be read: {error.strerror}.") from None
