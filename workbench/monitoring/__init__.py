"""Stage 4: customers are watched from one date to the next, and rules that users set raise alerts."""
