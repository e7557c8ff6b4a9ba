"""Trace context and flow facts for Kafka clients."""
