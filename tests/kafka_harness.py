"""Apache Kafka for tests: jars from Maven Central, one KRaft node on free ports, stopped for sure.

A test asks for the fixture `kafka` (tests/conftest.py); everything else is here.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tcp_proxy import TcpProxy

VERSION = "4.3.1"
LEAST_JAVA = 17
START_TIMEOUT_SECONDS = 90.0  # a loaded machine; three seconds on an idle one
STOP_TIMEOUT_SECONDS = 20.0
ATTEMPTS_TO_FIND_PORTS = 3

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headwater</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
      <version>{VERSION}</version></dependency>
  </dependencies>
</project>
"""

PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},SECURED://127.0.0.1:{secured},FAR://127.0.0.1:{far}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SECURED://127.0.0.1:{secured},FAR://127.0.0.1:{between}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_PLAINTEXT,FAR:PLAINTEXT
listener.name.secured.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.secured.plain.sasl.jaas.config={jaas}.plain.PlainLoginModule required user_watcher="{secret}";
listener.name.secured.scram-sha-256.sasl.jaas.config={jaas}.scram.ScramLoginModule required;
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={directory}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
log.retention.check.interval.ms=1000
"""
SECRET = "watchers-secret"
"""Of the user `watcher` at the secured listener."""


@dataclass(frozen=True)
class OracleLag:
    """What Kafka's own ConsumerGroupCommand says of one group and partition; "-" there is None here."""

    committed: int | None
    end_offset: int | None
    lag: int | None
    consumer_id: str | None


def missing() -> str | None:
    """Why no broker can be run here and what to install, or None."""
    lacking = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if "java" not in lacking and _java_version() < LEAST_JAVA:
        lacking.append(f"Java {LEAST_JAVA} instead of {_java_version()}")
    if not lacking:
        return None
    return (
        f"Apache Kafka for the tests needs {' and '.join(lacking)}: install Java {LEAST_JAVA} and Maven "
        "(Debian: apt-get install openjdk-17-jre-headless maven)"
    )


def _java_version() -> int:
    """The major version; 0 where `java` does not say."""
    said = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else 0


def jars() -> Path:
    """The folder of Kafka's jars in the user's cache, filled from Maven Central the first time (54 MB).

    Raises RuntimeError when Maven cannot get them.
    """
    cache = Path(platformdirs.user_cache_dir("headwater-tests")) / f"kafka-{VERSION}"
    done = cache / ".complete"
    if done.exists():
        return cache / "libs"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test sessions may start at once
        if not done.exists():
            (cache / "pom.xml").write_text(POM)
            command = [
                *("mvn", "-q", "-B", "-f", str(cache / "pom.xml"), "dependency:copy-dependencies"),
                *("-DincludeScope=runtime", f"-DoutputDirectory={cache / 'libs'}"),
            ]
            got = subprocess.run(command, capture_output=True, text=True, timeout=600)
            if got.returncode != 0:
                reason = (got.stdout + got.stderr).strip()[-500:]
                raise RuntimeError(f"Maven could not get Apache Kafka {VERSION}: {reason}")
            done.touch()
    return cache / "libs"


class KafkaBroker:
    """One Kafka node: `start()`, `stop()`, `start()` again keep port, topics and offsets."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._classpath = f"{jars()}/*"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = self._secured = self._far = 0
        between = socket.create_server(("127.0.0.1", 0))
        self._between = int(between.getsockname()[1])
        self._between_fd = between.detach()  # keeps the port as long as this process lives
        atexit.register(self.stop)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def secured(self) -> str:
        """The listener that asks for a user: `watcher` by PLAIN; by SCRAM-SHA-256 whoever was created."""
        return f"127.0.0.1:{self._secured}"

    @contextlib.contextmanager
    def through_proxy(self) -> Iterator[tuple[str, TcpProxy]]:
        """An address that leads to the broker through a proxy only, which is there for the time of the block."""
        with socket.socket(fileno=os.dup(self._between_fd)) as listening:
            proxy = TcpProxy(listening, ("127.0.0.1", self._far))
            try:
                yield f"127.0.0.1:{self._between}", proxy
            finally:
                proxy.close()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait for a metadata answer; raises RuntimeError with the broker's last words."""
        if self.running:
            return
        fresh = self._port == 0
        for attempt in range(ATTEMPTS_TO_FIND_PORTS):
            if fresh:
                self._format()
            self._launch()
            try:
                self._wait_for_metadata()
                return
            except RuntimeError:
                self.stop()
                if not fresh or attempt == ATTEMPTS_TO_FIND_PORTS - 1:
                    raise  # a port lost to another process between choosing and binding is tried again

    def stop(self, *, hard: bool = False) -> None:
        """End the broker's process group; `hard` is a kill -9."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL if hard else signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """A broker that answers nothing though its port is open (SIGSTOP), for the time of the block."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Create a topic and wait until its leaders are known; returns the name."""
        admin = self.admin()
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        admin.create_topics([topic])[name].result(60)

        def ready() -> bool:
            found = admin.list_topics(name, timeout=60).topics[name].partitions
            return len(found) == partitions and all(part.leader >= 0 for part in found.values())

        _wait(ready, 30, f"topic {name} has no leaders")
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until metadata no longer shows it."""
        admin = self.admin()
        admin.delete_topics([name])[name].result(60)
        _wait(lambda: name not in admin.list_topics(timeout=60).topics, 30, f"topic {name} is still there")

    def consumer_groups(self, *groups: str) -> dict[tuple[str, str, int], OracleLag]:
        """Kafka's own ConsumerGroupCommand --describe, by (group, topic, partition); default all groups."""
        chosen = [word for group in groups for word in ("--group", group)] or ["--all-groups"]
        answer = self._java(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            *("--bootstrap-server", self.bootstrap, "--describe", *chosen),
        )
        return parse_consumer_groups(answer)

    @contextlib.contextmanager
    def share_consumer(self, group: str, topic: str) -> Iterator[None]:
        """Kafka's own share consumer (KIP-932), from when its group is listed to the end of the block."""
        command = [
            *("java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", self._classpath),
            "org.apache.kafka.tools.consumer.ConsoleShareConsumer",
            *("--bootstrap-server", self.bootstrap, "--topic", topic, "--group", group),
        ]
        log = self.directory / "share_consumer.log"
        with open(log, "wb") as said:
            process = subprocess.Popen(
                command, stdout=said, stderr=said, start_new_session=True, preexec_fn=_end_with_parent
            )

        def listed() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"the share consumer ended: {log.read_text(errors='replace')[-2000:]}")
            return (group, "share") in asyncio.run(_listed_groups(self.bootstrap))

        try:
            _wait(listed, START_TIMEOUT_SECONDS, f"share group {group} is not listed")
            yield
        finally:
            process.kill()
            process.wait()

    def _java(self, main: str, *arguments: str) -> str:
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", self._classpath, main, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{main} failed: {done.stdout[-1000:]} {done.stderr[-1000:]}")
        return done.stdout

    def _format(self) -> None:
        shutil.rmtree(self.directory / "data", ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._port, self._secured, self._far, controller = _free_ports(4)
        properties = self.directory / "server.properties"
        properties.write_text(
            PROPERTIES.format(
                port=self._port,
                secured=self._secured,
                far=self._far,
                between=self._between,
                controller=controller,
                directory=self.directory,
                jaas="org.apache.kafka.common.security",
                secret=SECRET,
            )
        )
        cluster_id = self._java("kafka.tools.StorageTool", "random-uuid").split()[-1]
        self._java(
            "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties), "--standalone"
        )

    def _launch(self) -> None:
        command = [
            *("java", "-Xms256m", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
            *("-cp", self._classpath, "kafka.Kafka", str(self.directory / "server.properties")),
        ]
        with open(self.directory / "broker.log", "ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, preexec_fn=_end_with_parent
            )

    def _wait_for_metadata(self) -> None:
        admin = self.admin()

        def answered() -> bool:
            if not self.running:
                raise RuntimeError(f"Kafka ended while starting: {self._last_words()}")
            try:
                return len(admin.list_topics(timeout=2).brokers) == 1
            except KafkaException:
                return False

        _wait(answered, START_TIMEOUT_SECONDS, "Kafka gives no metadata answer")

    def _last_words(self) -> str:
        return (self.directory / "broker.log").read_text(errors="replace")[-2000:]


def parse_consumer_groups(answer: str) -> dict[tuple[str, str, int], OracleLag]:
    """The tables in the command's answer; each group has a heading of its own, other lines are remarks."""
    found: dict[tuple[str, str, int], OracleLag] = {}
    heading: list[str] = []
    for line in answer.splitlines():
        words = line.split()
        if words[:2] == ["GROUP", "TOPIC"]:
            heading = words
        elif heading and len(words) >= 6 and not line.startswith(("Consumer group", "Error", "Warning")):
            row = dict(zip(heading, words, strict=False))
            if not row["PARTITION"].isdigit():
                continue
            member = row.get("CONSUMER-ID", "-")
            found[row["GROUP"], row["TOPIC"], int(row["PARTITION"])] = OracleLag(
                committed=_number(row["CURRENT-OFFSET"]),
                end_offset=_number(row["LOG-END-OFFSET"]),
                lag=_number(row["LAG"]),
                consumer_id=None if member == "-" else member,
            )
    return found


async def _listed_groups(bootstrap: str) -> list[tuple[str, str]]:
    """Names and kinds of all groups, share groups as well, which librdkafka leaves out."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        return [(str(group), str(kind)) for group, kind in await client.list_consumer_groups()]
    finally:
        await client.close()


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


def _wait(ready: object, seconds: float, complaint: str) -> None:
    assert callable(ready)
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"{complaint} after {seconds:.0f} s")
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _end_with_parent() -> None:
    """On Linux the broker gets SIGTERM when the test process dies, even by kill -9."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
