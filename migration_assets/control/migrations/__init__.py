"""Alembic's scripts for the control database. `migrate` runs them; nothing else imports them."""
