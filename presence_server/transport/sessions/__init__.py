"""Who a client is, and the session of a room that lives on its connection."""
