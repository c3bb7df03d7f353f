"""Gradients to try the checker on: wrong ones, of which none may pass, and right ones, of which all must."""
