"""What keeps messages from being followed: facts from spans and from Kafka, and small rules that judge them."""
