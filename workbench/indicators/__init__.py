"""Stage 2: one row a customer and observation date, from short expressions that say what they mean."""
