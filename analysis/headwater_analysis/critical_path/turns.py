"""Whose turn it is in a row of deliveries, when some are available sooner than they were."""

MOST_OVERTAKEN = 5_000
"""Deliveries of one row that one of them may overtake; whoever overtakes more finds the consumer free."""


class Turns:
    """The rows of all deliveries, each known by the event of its start; see ``timeline`` for events."""

    def __init__(self, before: dict[int, int], recorded: dict[int, int]) -> None:
        """`before`: the end of the one before each; `recorded`: from when on each could have begun, in ns."""
        self._before = before
        self._recorded = recorded
        self._now = dict(recorded)

    def free(self, begin: int, available: int, times: list[int]) -> int:
        """When both the delivery that starts with the event `begin` and its consumer are there.

        The consumer is free once the last that came before it has ended; one that came before it as recorded, and
        now comes after it, is overtaken.
        """
        self._now[begin] = available
        ended = self._before.get(begin, -1)
        for _ in range(MOST_OVERTAKEN):
            if ended < 0:
                break
            ahead = ended - 1
            if self._now[ahead] <= available or self._recorded[ahead] > self._recorded[begin]:
                return max(available, times[ended])
            ended = self._before.get(ahead, -1)
        return available
