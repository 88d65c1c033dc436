"""Making the default body, the data sets and the weights: every shipped file can be made again from here."""
