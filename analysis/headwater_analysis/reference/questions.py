"""What people ask, as SQL over the public relations. Each is run against the demo in the tests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question in words and in SQL."""

    words: str
    sql: str
    may_be_empty: bool = False
    """A system in which all is well has no answer to it."""


QUESTIONS = (
    Question(
        "Which flows took longer than half a second, and on which hop was most of it spent?",
        """select f.flow_id, f.total_ms, h.topic, h.consumer_group, h.wait_ms, h.work_ms
from flows f
join hops h using (flow_id)
where f.total_ms > 500
qualify row_number() over (partition by f.flow_id order by coalesce(h.wait_ms, 0) + h.work_ms desc) = 1
order by f.total_ms desc
limit 20""",
    ),
    Question(
        "Who handles what checkout sends?",
        """select distinct topic, consumer_group, consumer_service
from hops
where producer_service = 'checkout'
order by all""",
    ),
    Question(
        "Whose messages does shipping depend on?",
        """select producer_service, topic, count(*) as messages
from hops
where consumer_service = 'shipping'
group by all
order by messages desc""",
    ),
    Question(
        "Where do messages wait longest?",
        """select topic, consumer_group, count(*) as deliveries,
    quantile_cont(wait_ms, 0.5) as p50_ms, quantile_cont(wait_ms, 0.95) as p95_ms
from hops
where started_at > ago(interval 1 hour)
group by all
order by p95_ms desc nulls last""",
    ),
    Question(
        "Which groups are behind, by how many seconds, and why?",
        """select consumer_group, topic, status, lag, lag_seconds, evidence
from group_health
order by lag_seconds desc nulls last""",
    ),
    Question(
        "Which partition takes more than its share?",
        """select topic, partition, count(*) as messages,
    count(*) / sum(count(*)) over (partition by topic) as share
from messages
group by topic, partition
order by topic, share desc""",
    ),
    Question(
        "What fails, and with which error?",
        """select service, consumer_group, topic, error_type, count(*) as failed
from deliveries
where status = 'error'
group by all
order by failed desc""",
    ),
    Question(
        "What are the dead letters' causes, and since when?",
        """select error_type, normalised_error, origin_topic, consumer_group, messages, first_seen, last_seen
from failure_groups
order by messages desc""",
    ),
    Question(
        "Do retries help? How many deliveries end well at which attempt?",
        """select consumer_group, attempt, count(*) as deliveries,
    avg((status is distinct from 'error')::integer) as ended_well
from deliveries
group by all
order by all""",
    ),
    Question(
        "What happened to one message?",
        """select consumer_group, service, attempt, started_at, ended_at, status, error_type
from deliveries
where topic = 'orders' and partition = 0 and message_offset = 0
order by started_at""",
    ),
    Question(
        "Which flow is a message, span or event part of?",
        """select f.flow_id, f.status, f.total_ms, f.services
from flow_of('orders/0/0') o
join flows f using (flow_id)""",
    ),
    Question(
        "Was anything handled twice without an error?",
        """select topic, partition, message_offset, consumer_group, count(*) as times
from deliveries
where status is distinct from 'error'
group by all
having count(*) > 1
order by times desc""",
        may_be_empty=True,
    ),
    Question(
        "How large are messages?",
        """select topic, count(size) as messages, quantile_cont(size, 0.5) as p50_bytes, max(size) as largest
from messages
group by all
order by largest desc nulls last""",
    ),
    Question(
        "How many messages a minute go into each topic?",
        """select topic, time_bucket(interval 1 minute, sent_at::timestamp) as minute, count(*) as messages
from messages
group by all
order by topic, minute""",
    ),
    Question(
        "Which kinds of flow are there, how often do they fail, how long do they take?",
        """select path, flows, error_rate, dead_letters, total_p50_ms, total_p95_ms, wait_p95_ms
from pathways
order by flows desc""",
    ),
    Question(
        "How much of a flow's time is waiting?",
        """select entry_service, entry_name, count(*) as flows, avg(total_ms) as total_ms,
    avg(wait_ms) as wait_ms, avg(work_ms) as work_ms
from flows
where wait_ms is not null
group by all
order by flows desc""",
    ),
    Question(
        "Which flows are still under way?",
        """select flow_id, started_at, total_ms, topics
from flows
where status = 'open'
order by started_at
limit 20""",
        may_be_empty=True,
    ),
    Question(
        "Whose clocks are off?",
        """select producer_service, consumer_service, count(*) as hops, count(*) filter (skewed) as skewed
from hops
group by all
having count(*) filter (skewed) > 0
order by skewed desc""",
        may_be_empty=True,
    ),
    Question(
        "What do handlers hold right now, and for how long?",
        """select service, consumer_group, topic, partition, message_offset, held_seconds
from in_flight
order by held_seconds desc""",
        may_be_empty=True,
    ),
    Question(
        "Which messages does a group not get over, and with which error?",
        """select topic, partition, consumer_group, status, message_offset, deliveries, failures, error_type,
    held_seconds, waiting_behind
from blockers
order by waiting_behind desc""",
        may_be_empty=True,
    ),
    Question(
        "When will the lag be gone, and does retention come before?",
        """select consumer_group, topic, partition, lag, drain_seconds, drain_seconds_low, drain_seconds_high,
    retention_seconds < coalesce(drain_seconds, 1e9) as retention_comes_first
from drain_forecast
order by lag desc""",
        may_be_empty=True,
    ),
    Question(
        "How did the lag of a group go over the last hour?",
        """select sampled_at, sum(lag) as lag, max(lag_seconds) as lag_seconds
from lag_history('payments', 'orders', ago(interval 1 hour))
group by all
order by all""",
    ),
    Question(
        "What became of the messages of a topic, group by group?",
        """select topic, consumer_group, state, count(*) as messages
from ledger
group by all
order by topic, consumer_group, messages desc""",
    ),
    Question(
        "Which spans have an attribute of our own?",
        """select service, name, attributes->>'http.response.status_code' as code, count(*) as spans
from spans
where attributes->>'http.response.status_code' is not null
group by all
order by spans desc""",
        may_be_empty=True,
    ),
    Question(
        "Which services send spans, and with which SDK?",
        """select service, spans, errors, instances, sdk_language, sdk_version, topics_in, topics_out
from services
order by spans desc""",
    ),
    Question(
        "Is what services send kept?",
        """select received_requests, acknowledged_requests, refused_requests, stored_spans, quarantined,
    oldest_unstored_seconds, last_error
from ingest_health""",
    ),
)
