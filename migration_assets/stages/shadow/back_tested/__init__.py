"""Whether the old system's declared rules make the invoices that it issued, one contract at a time."""
