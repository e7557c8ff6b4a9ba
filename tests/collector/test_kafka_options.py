"""A cluster's options bear librdkafka's names; what aiokafka is given of them, and what has no counterpart there."""

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from door_helpers import make_certificate
from headwater_analysis.errors import UsageError
from headwater_collector.kafka.aiokafka_options import aiokafka_options, untranslatable
from headwater_collector.kafka.cluster_config import ClusterConfig, librdkafka_options

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


def translated(**options: str) -> dict[str, Any]:
    """Options with dots for underscores, as aiokafka's."""
    named = {name.replace("_", "."): value for name, value in options.items()}
    return aiokafka_options(ClusterConfig("main", "b:9092", named))


def context(**options: str) -> ssl.SSLContext:
    found = translated(**{"security_protocol": "ssl", **options})["ssl_context"]
    assert isinstance(found, ssl.SSLContext)
    return found


def test_options_go_to_librdkafka_as_they_are() -> None:
    config = ClusterConfig("main", "b:9092", {"sasl.mechanisms": "SCRAM-SHA-256"})
    assert librdkafka_options(config)["sasl.mechanisms"] == "SCRAM-SHA-256"
    assert librdkafka_options(config)["bootstrap.servers"] == "b:9092"


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, {"client_id": "headwater", "security_protocol": "PLAINTEXT"}),
        # What concerns librdkafka alone is left out.
        (
            {"client_id": "mine", "socket_timeout_ms": "100"},
            {"client_id": "mine", "security_protocol": "PLAINTEXT"},
        ),
        (
            {"security_protocol": "sasl_plaintext", "sasl_mechanisms": "plain", "sasl_username": "u",
             "sasl_password": "p"},
            {"client_id": "headwater", "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN",
             "sasl_plain_username": "u", "sasl_plain_password": "p"},
        ),
        (
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "u",
             "sasl_password": "p"},
            {"client_id": "headwater", "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512",
             "sasl_plain_username": "u", "sasl_plain_password": "p"},
        ),
    ],
)  # fmt: skip
def test_an_option_goes_to_aiokafka_under_its_name_there(
    options: dict[str, str], arguments: dict[str, str]
) -> None:
    assert translated(**options) == {**arguments, "bootstrap_servers": "b:9092"}


def test_tls_checks_who_answers_unless_it_is_told_not_to() -> None:
    assert (context().check_hostname, context().verify_mode) == (True, ssl.CERT_REQUIRED)
    any_name = context(ssl_endpoint_identification_algorithm="none")
    assert (any_name.check_hostname, any_name.verify_mode) == (False, ssl.CERT_REQUIRED)
    anybody = context(enable_ssl_certificate_verification="false")
    assert (anybody.check_hostname, anybody.verify_mode) == (False, ssl.CERT_NONE)


@needs_openssl
def test_authorities_come_from_a_file_or_a_text_and_a_service_shows_its_own_certificate(
    tmp_path: Path,
) -> None:
    certificate, key = make_certificate(tmp_path)
    from_file = context(
        ssl_ca_location=str(certificate), ssl_certificate_location=str(certificate), ssl_key_location=str(key)
    )
    assert [one["subject"] for one in from_file.get_ca_certs()] == [((("commonName", "localhost"),),)]
    from_text = context(ssl_ca_pem=certificate.read_text())
    assert len(from_text.get_ca_certs()) >= 1
    assert context(ssl_ca_location=str(tmp_path)).verify_mode == ssl.CERT_REQUIRED


@needs_openssl
def test_a_key_with_a_password_is_never_asked_for_at_the_terminal(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    locked = tmp_path / "locked.pem"
    command = ["openssl", "ec", "-aes256", "-in", str(key), "-out", str(locked), "-passout", "pass:secret"]
    subprocess.run(command, check=True, capture_output=True)
    files = {"ssl_certificate_location": str(certificate), "ssl_key_location": str(locked)}
    assert context(**files, ssl_key_password="secret").verify_mode == ssl.CERT_REQUIRED
    with pytest.raises(UsageError, match="its TLS files cannot be read"):
        context(**files)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}, "OAUTHBEARER is none of PLAIN, "),
        # librdkafka's own default
        ({"security_protocol": "SASL_PLAINTEXT"}, "GSSAPI needs the package gssapi"),
        ({"security_protocol": "SSL", "ssl_ca_location": "/nowhere/ca.pem"}, "its TLS files cannot be read"),
        ({"security_protocol": "SSL", "ssl_ca_pem": "none"}, "its TLS files cannot be read"),
        ({"security_protocol": "SSL", "ssl_keystore_location": "k.p12"}, "use ssl.certificate.location and "),
        ({"security_protocol": "SSL", "ssl_certificate_pem": "-----"}, "use ssl.certificate.location"),
        ({"security_protocol": "SSL", "ssl_key_pem": "-----"}, "use ssl.key.location"),
        ({"security_protocol": "SSL", "ssl_crl_location": "c.pem"}, "ssl.crl.location is read by librdkafka alone"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_named_with_the_way_out(
    options: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config = ClusterConfig("main", "b:9092", {name.replace("_", "."): text for name, text in options.items()})
    assert says in str(untranslatable(config))
    assert untranslatable(ClusterConfig("main", "b:9092")) is None
