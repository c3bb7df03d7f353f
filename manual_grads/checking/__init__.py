"""Verifying hand-written derivatives: oracles, and the claims of the registry against them."""
