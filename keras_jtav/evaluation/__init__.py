"""What the numbers say: ranks, classification, baselines, intervals and pictures."""
