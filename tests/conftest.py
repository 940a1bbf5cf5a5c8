"""Strict JAX for every test: no silent promotion of rank or dtype, and eight CPU devices."""

import jax

# The first imports what only its tables need; the second has a configuration of its own; the third
# needs an extra.
collect_ignore = ["agreement/make_tables.py", "benchmarks", "mutants"]

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
