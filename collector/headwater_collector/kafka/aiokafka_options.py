"""A cluster's options, which bear librdkafka's names, as aiokafka wants them: for records and for share groups."""

import importlib.util
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headwater_analysis.errors import UsageError

from .cluster_config import ClusterConfig

# librdkafka's option -> aiokafka's argument. What is in no table here concerns librdkafka alone.
_PLAIN = {
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "sasl.kerberos.service.name": "sasl_kerberos_service_name",
    "client.id": "client_id",
}
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI")
_TLS_ELSEWHERE = {
    "ssl.certificate.pem": "ssl.certificate.location",
    "ssl.key.pem": "ssl.key.location",
    "ssl.keystore.location": "ssl.certificate.location and ssl.key.location",
    "ssl.engine.location": "ssl.certificate.location and ssl.key.location",
    "ssl.crl.location": "ssl.ca.location",
}
"""Options of TLS that Python's has no counterpart for, and what says the same."""
_NO = ("false", "f", "0")
"""How librdkafka writes it."""


def aiokafka_options(config: ClusterConfig) -> dict[str, Any]:
    """Arguments of an aiokafka client; raises UsageError for what has no counterpart there."""
    found: dict[str, Any] = {"client_id": "headwater"}
    for name, value in config.options.items():
        if name in _PLAIN:
            found[_PLAIN[name]] = value
    protocol = str(found.get("security_protocol", "PLAINTEXT")).upper()
    found["security_protocol"] = protocol
    if protocol.startswith("SASL"):
        found["sasl_mechanism"] = _mechanism(str(found.get("sasl_mechanism", "GSSAPI")).upper())
    if protocol in ("SSL", "SASL_SSL"):
        found["ssl_context"] = _ssl_context(config.options)
    return {**found, "bootstrap_servers": config.bootstrap}


def untranslatable(config: ClusterConfig) -> str | None:
    """Why records cannot be read nor share groups be listed, though the cluster can be polled; None if they can."""
    try:
        aiokafka_options(config)
    except UsageError as error:
        return str(error)
    return None


def _mechanism(name: str) -> str:
    if name not in _MECHANISMS:
        raise UsageError(f"sasl.mechanism {name} is none of {', '.join(_MECHANISMS)}")
    if name == "GSSAPI" and importlib.util.find_spec("gssapi") is None:
        raise UsageError("sasl.mechanism GSSAPI needs the package gssapi beside headwater")
    return name


def _ssl_context(options: Mapping[str, str]) -> ssl.SSLContext:
    for name, instead in _TLS_ELSEWHERE.items():
        if options.get(name):
            raise UsageError(f"{name} is read by librdkafka alone; use {instead}")
    authorities = options.get("ssl.ca.location")
    folder = authorities is not None and Path(authorities).is_dir()
    password = options.get("ssl.key.password", "")  # never None: OpenSSL would ask for it at the terminal
    try:
        context = ssl.create_default_context(
            cafile=None if folder else authorities,
            capath=authorities if folder else None,
            cadata=options.get("ssl.ca.pem"),
        )
        if "ssl.certificate.location" in options:
            files = options["ssl.certificate.location"], options.get("ssl.key.location")
            context.load_cert_chain(*files, password=lambda: password)
    except OSError as error:
        raise UsageError(f"its TLS files cannot be read: {error}") from error
    if options.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        context.check_hostname = False
    if options.get("enable.ssl.certificate.verification", "true").lower() in _NO:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
