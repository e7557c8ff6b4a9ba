"""Geometry that both screens share: pure functions from rows to places, without pixels or characters."""
