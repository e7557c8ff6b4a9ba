"""A cluster to watch, and its options as each of the two clients wants them."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headwater_analysis.errors import UsageError

# librdkafka's option -> aiokafka's argument. What is in neither table concerns librdkafka alone.
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


@dataclass(frozen=True)
class ClusterConfig:
    """One cluster to watch."""

    name: str
    bootstrap: str
    """HOST:PORT[,HOST:PORT]"""
    options: Mapping[str, str] = field(default_factory=dict)
    """Security and the like, in librdkafka's option names."""
    read_records: bool = True
    """Whether records may be read: the first unread one of a partition for its time, and dead letters."""


def librdkafka_options(config: ClusterConfig) -> dict[str, Any]:
    """Options of a confluent-kafka client; quick to come back to a broker that was away, silent on stderr."""
    return {
        "reconnect.backoff.max.ms": 2000,
        "client.id": "headwater",
        **config.options,
        "bootstrap.servers": config.bootstrap,
        "log_level": 0,
    }


def aiokafka_options(config: ClusterConfig) -> dict[str, Any]:
    """Arguments of an aiokafka client; raises UsageError for a mechanism that aiokafka does not speak."""
    found: dict[str, Any] = {"client_id": "headwater"}
    for name, value in config.options.items():
        if name in _PLAIN:
            found[_PLAIN[name]] = value
    protocol = str(found.get("security_protocol", "PLAINTEXT")).upper()
    found["security_protocol"] = protocol
    if protocol.startswith("SASL"):
        mechanism = str(found.get("sasl_mechanism", "GSSAPI")).upper()
        if mechanism not in _MECHANISMS:
            raise UsageError(
                f"Cluster {config.name}: records cannot be read with sasl.mechanism {mechanism}; "
                f"use one of {', '.join(_MECHANISMS)}, or set read_records = false."
            )
        found["sasl_mechanism"] = mechanism
    if protocol in ("SSL", "SASL_SSL"):
        found["ssl_context"] = _ssl_context(config)
    return {**found, "bootstrap_servers": config.bootstrap}


def unreadable_records(config: ClusterConfig) -> str | None:
    """Why no records can be read though they may be; None if they can, or may not."""
    try:
        if config.read_records:
            aiokafka_options(config)
    except UsageError as error:
        return str(error)
    return None


def _ssl_context(config: ClusterConfig) -> ssl.SSLContext:
    options = config.options
    try:
        context = ssl.create_default_context(
            cafile=options.get("ssl.ca.location"), cadata=options.get("ssl.ca.pem")
        )
        if "ssl.certificate.location" in options:
            context.load_cert_chain(
                options["ssl.certificate.location"],
                options.get("ssl.key.location"),
                options.get("ssl.key.password"),
            )
    except OSError as error:
        raise UsageError(f"Cluster {config.name}: its TLS files cannot be read: {error}.") from error
    if options.get("ssl.endpoint.identification.algorithm", "https") == "none":
        context.check_hostname = False
    if options.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
