"""Whether budgets were kept in a window, and where what exceeds them was spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headwater_analysis.rows import select
from headwater_analysis.source import Source
from headwater_analysis.window import Window

from .budgets import QUANTILED, Budget

BLAMED_AT_MOST = 3
EXAMPLES_AT_MOST = 3


@dataclass(frozen=True)
class Blame:
    """A part of a hop that took longer, or failed more often, than where the limit was kept."""

    topic: str | None
    consumer_group: str | None
    part: str
    """send, wait, work or backoff; of errors their type."""
    share: float
    """Of the excess, 0 to 1."""


@dataclass(frozen=True)
class Finding:
    """One limit of one budget."""

    budget: str
    measure: str
    limit: float
    """Milliseconds; of lag seconds; of errors, dead_letters and duplicates a share."""
    seen: float | None
    verdict: str
    """ok, breach, or unknown where too little was seen."""
    observed: int
    """Flows or deliveries in the window; of lag, polls."""
    quantile: float | None
    blamed: tuple[Blame, ...]
    examples: tuple[str, ...]
    """Flows, the worst first."""


@dataclass(frozen=True)
class _Seen:
    observed: int
    total: float | None
    wait: float | None
    work: float | None
    convergence: float | None
    errors: float | None
    dead_letters: float | None
    duplicates: float | None


def evaluate(source: Source, budgets: Sequence[Budget], window: Window) -> tuple[Finding, ...]:
    """One finding for each limit, in the budgets' order."""
    found = []
    for budget in budgets:
        scope = _Scope(budget, window)
        seen = scope.seen(source)
        for measure, limit in budget.limits.items():
            if measure == "lag":
                observed, value = _lag(source, budget, window)
            else:
                observed, value = seen.observed, getattr(seen, measure)
            enough = value is not None and observed >= (1 if measure == "lag" else budget.at_least)
            breached = enough and value is not None and value > limit
            timed = measure in QUANTILED
            found.append(
                Finding(
                    budget.name,
                    measure,
                    limit,
                    value,
                    "breach" if breached else "ok" if enough else "unknown",
                    observed,
                    budget.quantile if timed else None,
                    scope.blamed(source, measure, limit) if breached and measure != "lag" else (),
                    scope.examples(source, measure, limit) if breached and measure != "lag" else (),
                )
            )
    return tuple(found)


class _Scope:
    """The flows or hops of a budget, as SQL: relations ``units`` (what is judged) and ``parts`` (their hops)."""

    def __init__(self, budget: Budget, window: Window) -> None:
        self._budget = budget
        term, self._params = window.where("started_at")
        if budget.pathway is not None:
            relation, in_window = window.flows()
            self._params = [*in_window, budget.pathway, budget.pathway]
            self._with = f"""with units as (
                select flow_id, flow_id as unit, total_ms as total, wait_ms as wait, work_ms as work,
                    case when complete then total_ms end as convergence, status = 'error' as failed,
                    dead_letters, messages
                from {relation} where pathway_id = ? or concat(entry_service, ' ', entry_name) = ?
            ), parts as (select h.*, h.flow_id as unit from hops h join units using (flow_id))"""
            return
        where, place = [term], ["true"]
        for column, origin, value in (
            ("topic", "origin_topic", budget.topic),
            ("consumer_group", "origin_group", budget.group),
        ):
            if value is not None:
                where.append(f"{column} = ?")
                place.append(f"{origin} = ?")
                self._params = [*self._params, value]
        # Dead letters are counted by what they came from, in the same window.
        self._params += [
            *window.where("record_time")[1],
            *(v for v in (budget.topic, budget.group) if v is not None),
        ]
        self._with = f"""with parts as (
            select *, concat_ws('/', topic, partition, message_offset, consumer_group, attempt) as unit
            from hops where {" and ".join(where)}
        ), dead as (
            select flow_id from dead_letters
            where {window.where("record_time")[0]} and {" and ".join(place)}
        ), units as (
            select flow_id, unit, total_ms as total, wait_ms as wait, work_ms as work, null::double as convergence,
                status = 'error' as failed, (select count(*) from dead) / count(*) over () as dead_letters,
                1 as messages
            from parts
        )"""

    def seen(self, source: Source) -> _Seen:
        """Every measure of the window."""
        quantiles = ", ".join(
            f"quantile_cont({name}, {self._budget.quantile}) as {name}" for name in QUANTILED
        )
        rows = source.query(
            f"""{self._with}, handled as (
                select count(*) filter (status is distinct from 'error') > 1 as twice from parts
                group by cluster, topic, incarnation, partition, message_offset, consumer_group
            )
            select count(*) as observed, {quantiles}, avg(failed::integer) as errors,
                sum(dead_letters) / nullif(sum(messages), 0) as dead_letters,
                (select avg(twice::integer) from handled) as duplicates
            from units""",
            self._params,
        ).rows
        return _Seen(*rows[0])

    def examples(self, source: Source, measure: str, limit: float) -> tuple[str, ...]:
        """Flows beyond the limit, the worst first."""
        if measure == "duplicates":
            chosen = """select flow_id, count(*) as excess from parts where status is distinct from 'error'
                group by cluster, topic, incarnation, partition, message_offset, consumer_group, flow_id
                having count(*) > 1"""
            params: list[object] = []
        elif measure == "dead_letters" and self._budget.pathway is None:
            chosen, params = "select flow_id, 1 as excess from dead", []
        else:
            condition = _beyond(measure)
            excess = measure if measure in QUANTILED else "total"
            chosen = f"select flow_id, {excess} as excess from units where {condition}"
            params = [limit] if "?" in condition else []
        rows = source.query(
            f"{self._with}, chosen as ({chosen}) select flow_id from chosen where flow_id is not null "
            f"group by flow_id order by max(excess) desc nulls last, flow_id limit {EXAMPLES_AT_MOST}",
            [*self._params, *params],
        ).rows
        return tuple(str(flow_id) for (flow_id,) in rows)

    def blamed(self, source: Source, measure: str, limit: float) -> tuple[Blame, ...]:
        """The parts that make up what is beyond the limit, the largest first.

        Of a duration: by how much longer each part took in the units beyond the limit than in the others, a unit's
        share of each. Of errors: which failed.
        """
        if measure not in QUANTILED:
            return self._failures(source) if measure == "errors" else ()
        wanted = {"wait": ("wait",), "work": ("work",)}.get(measure, ("send", "wait", "work", "backoff"))
        columns = ", ".join(f"{name}_ms as {name}" for name in wanted)
        return select(
            source,
            Blame,
            f"""from (
                {self._with}, split as (select *, {_beyond(measure)} as beyond from units),
                numbers as (
                    select greatest(count(*) filter (beyond), 1) as beyond,
                        greatest(count(*) filter (not beyond), 1) as kept from split
                ), spent as (
                    unpivot (
                        select topic, consumer_group, s.beyond, {columns}
                        from parts p join split s on s.unit = p.unit
                    ) on {", ".join(wanted)} into name part value ms
                ), more as (
                    select topic, consumer_group, part,
                        coalesce(sum(ms) filter (beyond), 0) / any_value((select n.beyond from numbers n))
                        - coalesce(sum(ms) filter (not beyond), 0) / any_value((select n.kept from numbers n)) as ms
                    from spent group by all
                )
                select topic, consumer_group, part, ms / sum(ms) over () as share from more where ms > 0
            ) order by share desc, topic, part limit {BLAMED_AT_MOST}""",
            [*self._params, limit],
        )

    def _failures(self, source: Source) -> tuple[Blame, ...]:
        return select(
            source,
            Blame,
            f"""from (
                {self._with}
                select topic, consumer_group, coalesce(error_type, 'error') as part,
                    count(*) / sum(count(*)) over () as share
                from parts where status = 'error' group by all
            ) order by share desc, topic, part limit {BLAMED_AT_MOST}""",
            self._params,
        )


def _beyond(measure: str) -> str:
    """The condition for a unit that is beyond the limit; without a parameter where that is a yes or no."""
    if measure == "errors":
        return "failed"
    return "dead_letters > 0" if measure == "dead_letters" else f"coalesce({measure} > ?, false)"


def _lag(source: Source, budget: Budget, window: Window) -> tuple[int, float | None]:
    term, params = window.where("sampled_at")
    for column, value in (("topic", budget.topic), ("consumer_group", budget.group)):
        if value is not None:
            term += f" and {column} = ?"
            params.append(value)
    ((observed, most),) = source.query(
        f"select count(lag_seconds), max(lag_seconds) from commit_samples where {term}", params
    ).rows
    return int(observed), most
