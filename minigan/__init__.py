"""minigan."""
