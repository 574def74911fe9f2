"""Who calls, sessions, accounts, and what the pages need of them."""
