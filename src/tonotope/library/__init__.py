"""The catalogue: what is known of every file, in SQLite, and the scanner that fills it."""
