"""Receives spans and Kafka's facts, makes them durable, stores them and serves questions."""
