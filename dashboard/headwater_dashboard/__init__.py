"""The browser screens."""
