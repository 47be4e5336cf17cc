"""The list of each live board's users, for other services to read: in Redis or in this process."""
