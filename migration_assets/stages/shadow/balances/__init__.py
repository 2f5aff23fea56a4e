"""What customers owe and what is theirs, on both sides: one ledger of each, one sum, and what differs."""
