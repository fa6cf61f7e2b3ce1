"""From scores to a clinical word: probability, sign, confidence with reasons, guards, impression. Pure."""
