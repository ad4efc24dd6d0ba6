"""Stage 6: alerts lead to proposed actions, by rule tables that a person approves."""
