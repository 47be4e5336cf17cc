"""Where sessions outlive a restart: PostgreSQL or SQLite, used through one repository."""
