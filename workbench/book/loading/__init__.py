"""From sources to a new generation of a book: staged, checked, made current in one step."""
