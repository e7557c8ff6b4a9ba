"""What headwater learns from Kafka itself: offsets, groups, single records, dead letters."""
