"""Budgets that flows, topics and groups must keep, and whether two windows of time differ."""
