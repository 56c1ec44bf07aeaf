"""The synthetic bank: a retail bank's files, made from a seed, with a plan of who leaves, when and how."""
