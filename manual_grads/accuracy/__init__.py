"""How accurate is a derivative? Its error in ULP, against ball arithmetic of the document's own lines."""
