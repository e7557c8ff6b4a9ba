"""Settings of the collector: what they become, and the sentence a wrong one gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater_analysis.errors import UsageError
from headwater_analysis.settings import read
from headwater_collector.config import SERVE, CollectorSettings, from_settings
from headwater_collector.kafka.watch import ClusterConfig
from headwater_collector.receivers.addresses import free_address, is_loopback, split
from headwater_collector.up import UP, serve_arguments


def settings(*argv: str, toml: str = "", tmp_path: Path | None = None) -> CollectorSettings:
    arguments = list(argv)
    if tmp_path is not None:
        (tmp_path / "headwater.toml").write_text(toml)
        arguments.append(f"--config={tmp_path / 'headwater.toml'}")
    return from_settings(read(SERVE, arguments, {"XDG_CONFIG_HOME": "/nonexistent"}))


def test_the_defaults_are_the_documented_ports() -> None:
    found = settings("--data=/d")
    assert (found.data, found.otlp_grpc, found.otlp_http) == (Path("/d"), "127.0.0.1:4317", "127.0.0.1:4318")
    assert (found.api, found.poll, found.kafka, found.token) == ("127.0.0.1:4319", 5.0, (), None)


@pytest.mark.parametrize(
    ("given", "clusters"),
    [
        (["a=h:1"], (ClusterConfig("a", "h:1"),)),
        (["h:1,i:2"], (ClusterConfig("kafka", "h:1,i:2"),)),
        (["a=h:1", "b=[::1]:2"], (ClusterConfig("a", "h:1"), ClusterConfig("b", "[::1]:2"))),
        (["h:1", "i:1"], (ClusterConfig("kafka", "h:1"), ClusterConfig("kafka-2", "i:1"))),
    ],
)
def test_clusters_by_flag(given: list[str], clusters: tuple[ClusterConfig, ...]) -> None:
    assert settings(*(f"--kafka={one}" for one in given)).kafka == clusters


def test_clusters_by_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "pa=ss")
    toml = """
    poll = 2
    [clusters.main]
    bootstrap = "h:1,i:2"
    read_records = false
    security.protocol = "SASL_SSL"
    "sasl.password" = "${KAFKA_PASSWORD}"
    enable.ssl.certificate.verification = false
    [clusters.other]
    bootstrap = "j:3"
    """
    found = settings("--kafka=other=k:4", toml=toml, tmp_path=tmp_path)
    assert found.poll == 2
    assert found.kafka == (
        ClusterConfig(
            "main",
            "h:1,i:2",
            {
                "security.protocol": "SASL_SSL",
                "sasl.password": "pa=ss",
                "enable.ssl.certificate.verification": "false",
            },
            read_records=False,
        ),
        ClusterConfig("other", "k:4"),
    )


@pytest.mark.parametrize(
    ("argv", "toml", "says"),
    [
        (["--kafka=nonsense"], "", "HOST:PORT"),
        (["--kafka=a=h:1", "--kafka=a=i:1"], "", "twice"),
        ([], "[clusters.main]\nread_records = 1\nbootstrap = 'h:1'", "true or false"),
        ([], "[clusters.main]\n", "no bootstrap"),
        ([], "[clusters.main]\nbootstrap = 'h'", "HOST:PORT"),
        ([], "[clusters.main]\nbootstrap = 'h:1'\nsasl.password = '${NOT_THERE}'", "NOT_THERE"),
        ([], "[clusters]\nmain = 'h:1'", "[clusters.main]"),
        (["--api=0.0.0.0:4319"], "", "--insecure"),
        (["--otlp-grpc=nowhere"], "", "HOST:PORT"),
        (["--max-log=100"], "", "at least four"),
        (["--poll=0"], "", "0.1"),
        (["--store-memory=lots"], "", "512MB"),
        (["--capture=all"], "", "class"),
    ],
)
def test_a_wrong_setting_gets_one_clear_sentence(
    tmp_path: Path, argv: list[str], toml: str, says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        settings(*argv, toml=toml, tmp_path=tmp_path)
    assert says in str(caught.value)
    assert str(caught.value).endswith(".")


def test_beyond_loopback_with_a_token_or_on_purpose() -> None:
    assert settings("--api=0.0.0.0:0", "--token=t").token == "t"
    assert settings("--api=0.0.0.0:0", "--insecure").insecure
    assert settings("--api=[::1]:0", "--otlp-http=localhost:0").api == "[::1]:0"


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True), ("localhost:1", True)]
    + [("0.0.0.0:1", False), ("[::]:1", False), ("10.0.0.1:1", False), ("example.com:1", False)],
)
def test_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


def test_addresses() -> None:
    assert split("[::1]:80") == ("::1", 80)
    assert free_address("127.0.0.1:80") == "127.0.0.1:80"
    assert split(free_address("127.0.0.1:0"))[1] > 0


def test_up_passes_on_what_it_was_told_and_no_secret(tmp_path: Path) -> None:
    told = ["--data=/d", "--kafka=a=h:1", "--kafka=b=h:2", "--insecure", "--token=t", "--web=127.0.0.1:1"]
    found = read(UP, told, {"HEADWATER_POLL": "3", "XDG_CONFIG_HOME": "/nonexistent"})
    assert serve_arguments(found) == [
        "--data=/d",
        "--kafka=a=h:1",
        "--kafka=b=h:2",
        "--poll=3.0",
        "--insecure",
    ]
