"""The pages: thin layouts over analysis's questions."""
