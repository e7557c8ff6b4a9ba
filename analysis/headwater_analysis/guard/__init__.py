"""What a statement may say before it reaches a store: one SELECT over public relations, at a bounded cost."""
