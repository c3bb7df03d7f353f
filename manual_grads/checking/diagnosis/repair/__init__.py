"""Repairs: which line of a wrong gradient is wrong, and what makes it right, found by trying edits of it."""
