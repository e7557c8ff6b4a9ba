"""`headwater queues`: every topic and group in a line; `headwater advice`: how many consumers each group needs."""

from headwater_analysis import format as fmt
from headwater_analysis import lag
from headwater_analysis import queues as question
from headwater_analysis.advice import BUDGET_SECONDS, HEADROOM, scaled_object
from headwater_analysis.errors import UsageError
from headwater_analysis.queues import Advised, Queue
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, note, out, read
from headwater_analysis.source import Source
from headwater_analysis.throughput import of_group
from headwater_analysis.window import Window

from .groups import say_none_known, say_none_watched, say_pairs, say_shared, wanted
from .printing import console, opened, plain, print_json, print_table, status_text
from .throughput_drawing import print_throughput

TREND = 20
_GROUP = Option("group", "Only this consumer group.", None)
_TOPIC = Option("topic", "Only this topic.", None)
_ASKING = (COLLECTOR, TOKEN, STORE, JSON)

QUEUES = Command(
    "queues",
    "Shows every topic with the groups that read it: the verdict, lag in messages and seconds, rates, how lag went, "
    "when it will be gone (with its 90 % interval), the partition that takes most, and what stands beside the verdict: "
    "skewed, burst, backpressure, retention that comes too soon. Below each line that is not well, its evidence. "
    "Share groups are named below them: what they have not read yet cannot be asked for.",
    (
        "headwater queues",
        "headwater queues --group payments --last 1h",
        "headwater queues --group payments --throughput --last 24h    # waits against rates",
        "headwater queues --json | jq '.[] | select(.marks != [])'",
        "headwater queues --share-groups --json",
    ),
    options=(
        _GROUP,
        _TOPIC,
        Option(
            "throughput",
            "What messages take until --group has handled them at the rates there were, and from which "
            "on waiting grows; of --topic or of all.",
            False,
            "flag",
        ),
        Option("share-groups", "Only the names of each cluster's share groups.", False, "flag"),
        Option("last", "How far back the trend goes, such as 15m or 6h.", "15m", metavar="DURATION"),
        *_ASKING,
    ),
)
ADVICE = Command(
    "advice",
    "Says how many consumers each group needs at the present rate, or why more would not help: a message that blocks, "
    "a partition that holds most of the lag, no partition left. It rests on what one consumer was seen to do while it "
    "was behind, else on how long its spans say handling takes; where neither is known there is no advice.",
    (
        "headwater advice",
        "headwater advice --group payments --headroom 0.5",
        "headwater advice --group payments --keda > scaled-object.yaml",
    ),
    options=(
        _GROUP,
        _TOPIC,
        Option("headroom", "Share of the rate that is kept free for bursts and rebalances.", HEADROOM, "number"),
        Option("budget", "Lag time in seconds up to which no more consumers are advised.", BUDGET_SECONDS, "number"),
        Option("keda", "Print a KEDA ScaledObject in YAML for each group whose capacity is known.", False, "flag"),
        *_ASKING,
    ),
)  # fmt: skip


def run(argv: list[str]) -> int:
    """`headwater queues`; gives its exit code."""
    settings = read(QUEUES, argv)
    if settings.throughput and settings.group is None:
        raise UsageError("--throughput needs --group; `headwater queues` lists the groups.")
    with opened(settings) as source:
        if settings.throughput:
            window = Window.last(settings.last)
            return print_throughput(of_group(source, settings.group, window, settings.topic), settings.json)
        if settings.share_groups:
            _share_groups(lag.clusters(source), settings.json)
            return 0
        found = question.queues(source, Window.last(settings.last))
        rows = [row for row in found if wanted(row, settings.group, settings.topic)]
        if settings.json:
            print_json(rows)
            return 0
        if rows:
            _print(rows)
        else:
            _say_why_empty(source, settings.group)
        shared = lag.share_groups_line(lag.clusters(source))
        if shared and settings.group is None and settings.topic is None:
            console().print(plain(shared), soft_wrap=True)
    return 0


def run_advice(argv: list[str]) -> int:
    """`headwater advice`; gives its exit code."""
    settings = read(ADVICE, argv)
    with opened(settings) as source:
        found = question.advice(source, settings.headroom, settings.budget)
        rows = [row for row in found if wanted(row.load, settings.group, settings.topic)]
        if settings.keda:
            _keda(rows, settings.budget)
        elif settings.json:
            print_json(rows)
        elif not rows:
            _say_why_empty(source, settings.group)
        else:
            print_table(
                ("group", "topic", "consumers", "partitions", "in", "advice"),
                (
                    (
                        row.load.consumer_group,
                        row.load.topic,
                        fmt.count(row.load.consumers),
                        fmt.count(row.load.partitions),
                        fmt.rate(row.load.in_rate),
                        row.advice.sentence,
                    )
                    for row in rows
                ),
                right=("consumers", "partitions", "in"),
            )
    return 0


def _print(rows: list[Queue]) -> None:
    print_table(
        ("topic", "group", "status", "lag", "lag time", "in", "out", "trend", "drains in", "hottest"),
        (
            (
                row.topic,
                row.consumer_group,
                status_text(row.status),
                fmt.count(row.lag),
                fmt.lag_time(row.lag_seconds, row.lag_method, row.lag_error_seconds),
                fmt.rate(row.in_rate),
                fmt.rate(row.out_rate),
                fmt.sparkline(row.trend, TREND),
                question.drain(row),
                _hottest(row),
            )
            for row in rows
        ),
        right=("lag", "lag time", "in", "out"),
    )
    screen = console()
    for row in rows:
        for title, words in _remarks(row):
            screen.print(plain(f"{row.topic} → {row.consumer_group}: {title}: {words}"), soft_wrap=True)


def _hottest(row: Queue) -> str:
    if row.hottest_partition is None or row.partitions < 2:
        return fmt.UNKNOWN
    return f"{row.hottest_partition} ({fmt.ratio(row.hottest_share)})"


def _remarks(row: Queue) -> list[tuple[str, str]]:
    found = [] if row.status == "ok" else [(fmt.state(row.status).word, row.evidence or "")]
    found += [(mark.mark, mark.evidence) for mark in row.marks]
    warning, key = question.retention_warning(row), question.hot_key(row)
    found += [("retention", warning)] if warning else []
    return [*found, ("hot key", key)] if key else found


def _keda(rows: list[Advised], budget: float) -> None:
    known = [row for row in rows if row.load.capacity]
    if not known:
        note("No ScaledObject: of no group is known what one consumer can do; `headwater advice` says why.")
    documents = (scaled_object(row.load, row.advice, row.bootstrap or "kafka:9092", budget) for row in known)
    out("---\n".join(documents))


def _share_groups(clusters: tuple[lag.ClusterRow, ...], as_json: bool) -> None:
    if as_json:
        print_json(
            [{"cluster": one.cluster, "name": one.name, "share_groups": one.share_groups} for one in clusters]
        )
        return
    for one in clusters:
        names = "unknown" if one.share_groups is None else ", ".join(one.share_groups) or "none"
        console().print(plain(f"{one.name}: {names}"), soft_wrap=True)
    if not clusters:
        say_none_watched()


def _say_why_empty(source: Source, group: str | None) -> None:
    if not say_shared(source, group) and not say_pairs(lag.groups(source)):
        say_none_known()
