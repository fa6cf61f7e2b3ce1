"""What we offer over HTTP. The only room that knows a web framework."""
