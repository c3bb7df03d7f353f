"""Is it right: how wrong a result is, beside how wrong a right one may be."""
