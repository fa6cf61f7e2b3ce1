"""Built results on their way out. A folder is the first destination."""
