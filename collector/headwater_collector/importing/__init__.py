"""Traces recorded elsewhere, read from files and given to a collector's door as any service's would be."""
