"""Which process of this machine owns which board."""
