"""What both systems bill: the old one from its raw tables (`legacy`, held to its issued invoices in `back_tested`), the
new one from what it holds (`target`). Neither knows the other; both answer in `runs`.
"""
