"""Arithmetic that several user models share, each thing once."""
