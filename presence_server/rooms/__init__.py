"""Live rooms: one Trio nursery per board around the pure core."""
