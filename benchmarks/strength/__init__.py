"""How strong each suite is: the mistakes it catches, written by hand and made by rule, and those that it misses."""
