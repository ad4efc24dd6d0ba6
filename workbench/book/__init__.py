"""Stage 1: sources become a book, the canonical tables of one lender as they were known at each date."""
