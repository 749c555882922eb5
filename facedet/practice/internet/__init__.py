"""What the practice server is made of: the table of answers, HTTP, the connections, the log."""
