"""Networks and correction methods."""
