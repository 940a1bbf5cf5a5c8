"""Several labels for one text, most of them rare: `python -m examples.multi_label`."""
