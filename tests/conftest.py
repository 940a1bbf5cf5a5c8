"""Strict JAX for every test: no silent promotion of rank or dtype, and eight CPU devices."""

import jax

collect_ignore = ["agreement/make_tables.py"]  # imports what only its tables need

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
