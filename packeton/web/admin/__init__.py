"""The pages for people: signing in, their account, administration."""
