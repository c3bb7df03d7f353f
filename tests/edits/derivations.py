EDITS: dict[str, list[tuple[str, str, str]]] = {}
