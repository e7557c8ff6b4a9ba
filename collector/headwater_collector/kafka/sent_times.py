"""When first unread messages were sent, by the spans of known messages: for clusters whose records may not be read."""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from headwater_analysis.lag_time import SentTimes
from headwater_collector.store import Store

from .record_fetcher import Place
from .snapshot import Partition

KNOWN_SECONDS = 3600.0
"""How far back sent messages are looked at: the cost of a poll must not follow what is stored."""

_AROUND = """
with wanted as (select unnest(?) as topic, unnest(?) as partition, unnest(?) as place)
select w.topic, w.partition, w.place,
    epoch(arg_max(m.available_at, m.message_offset) filter (m.message_offset <= place)),
    epoch(arg_min(m.available_at, m.message_offset) filter (m.message_offset >= place))
from message_rows m
join wanted w on w.topic = m.topic and w.partition = m.partition
where m.received_at >= ? and coalesce(m.cluster, ?) = ? and m.available_at is not null and m.status != 'error'
group by all
"""


def sent_times(
    store: Store, cluster: str, places: Iterable[Place]
) -> Mapping[tuple[Partition, int], SentTimes]:
    """By (partition, offset), where messages are known at it, or on both sides of it."""
    wanted = list(places)
    if not wanted:
        return {}
    since = datetime.fromtimestamp(time.time() - KNOWN_SECONDS, UTC).replace(tzinfo=None)
    columns = [[each.partition.topic for each in wanted], [each.partition.partition for each in wanted]]
    rows = store.read(_AROUND, [*columns, [each.offset for each in wanted], since, cluster, cluster])
    return {
        (Partition(topic, number), offset): SentTimes(earliest, latest)
        for topic, number, offset, earliest, latest in rows
        if earliest is not None and latest is not None
    }
