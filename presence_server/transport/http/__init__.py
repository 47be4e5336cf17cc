"""HTTP beside the WebSockets: request heads, refusals, and Hypercorn for the web application."""
