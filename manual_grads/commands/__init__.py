"""What the commands do, and how it is printed: a file a command."""
