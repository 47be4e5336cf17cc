"""Where presence is kept: Postgres or SQLite behind one repository."""
