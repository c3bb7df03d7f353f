"""Why not: hypotheses about a wrong gradient, each tried on the evidence."""
