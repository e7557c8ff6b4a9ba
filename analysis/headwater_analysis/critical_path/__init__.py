"""Where a flow's time went, through its queues: path, slack, aggregate per pathway, what-if. Pure but for `asking`."""
