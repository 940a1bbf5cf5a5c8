"""All data sets of the examples, and `get_data.sh`, which brings them."""
