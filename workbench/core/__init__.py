"""What every stage stands on: errors, the workspace, parameters, conditions, output folders. Imports no stage."""
