"""From bytes on one TCP port to room events, and back."""
