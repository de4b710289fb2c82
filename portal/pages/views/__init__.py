"""Pages, thin: who may see them, what is read, which template shows it."""
