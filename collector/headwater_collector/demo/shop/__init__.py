"""A small retail shop of plain aiokafka services: what a team's own code looks like.

The services import aiokafka, the OpenTelemetry API and the standard library only; `opentelemetry-instrument` does
the rest. checkout → orders → payments → payments → inventory, shipping → notifications → notifications.
"""
