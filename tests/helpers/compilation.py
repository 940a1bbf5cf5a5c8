"""How the programs of the tests are compiled: quickly, and where numbers count as users' are.

Compilation is most of the suite's time. The slow tests are compiled as users' programs are, and so
are all where the environment has `XLA_FLAGS`, be it empty: `XLA_FLAGS= python -m pytest`.
"""

import functools
import os

import jax
import jaxlib

OLD_XLA = jaxlib.version.__version_info__ < (0, 11)  # whose emitters of fusions are a choice
QUICK = ["--xla_backend_optimization_level=0", "--xla_cpu_parallel_codegen_split_count=1"]
AS_USERS = {"xla_backend_optimization_level": 3}
if OLD_XLA:
    QUICK += ["--xla_cpu_use_fusion_emitters=false"]
    AS_USERS |= {"xla_cpu_use_fusion_emitters": True}


def compile_quickly():
    """For all programs of this process and of those that it starts; before JAX's first use."""
    os.environ.setdefault("XLA_FLAGS", " ".join(QUICK))


# `jax.jit` for a test that holds a bound of rounding.
as_users = functools.partial(jax.jit, compiler_options=AS_USERS)
