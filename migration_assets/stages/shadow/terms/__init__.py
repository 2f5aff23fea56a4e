"""What both systems write down of contracts, issued invoices and seats beside amounts, held against each other."""
