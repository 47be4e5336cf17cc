"""Live boards: one Trio nursery for each, around its pure room."""
