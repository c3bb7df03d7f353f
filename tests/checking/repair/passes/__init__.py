"""Backward passes by hand, all right: `mistakes.py` has what is planted in them, one line at a time."""
