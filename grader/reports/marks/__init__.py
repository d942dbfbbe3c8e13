"""A class's marks as a learning platform takes them."""
