"""One month of the lender: what customers and the lender do, in the order in which one thing causes the next."""
