"""What the stored spans, offsets and dead letters mean: SQL objects, pure rules, typed questions, layouts."""
