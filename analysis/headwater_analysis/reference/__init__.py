"""The reference for people who ask in SQL: questions with their answers, relations, columns."""
