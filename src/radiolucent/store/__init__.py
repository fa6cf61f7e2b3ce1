"""The only SQL and the only blob store: SQLite by default, PostgreSQL by one setting."""
