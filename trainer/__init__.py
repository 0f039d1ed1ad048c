"""A small Keras trainer that reads nothing but a published dataset."""
