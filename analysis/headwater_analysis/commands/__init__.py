"""The commands that print what a screen would show."""
