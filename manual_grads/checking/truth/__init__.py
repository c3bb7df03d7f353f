"""What is true: independent oracles, how exact they are, and what they agree on."""
