"""What only the simulation knows: causes, labels, counterfactuals, the true risk."""
