"""The only place that runs student code: worker processes, what confines them, and the proxies that speak with them."""
