"""Who is on a board now, for other services to read: Redis or this process."""
