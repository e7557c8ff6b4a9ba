"""Widgets that know nothing of where their rows come from."""
