"""A training loop for CPU, GPU, TPU and several hosts: `python -m examples.train`.

In reading order:

- the command: `__main__`
- settings: `settings`, the options; `job`, what they make with a data set; `folder` of a run
- devices: `mesh`, one of all devices of all hosts
- data: `arrays`, training and test set; `feeds`, from the device or through Grain
- the compiled epoch: `examples/training`; `programs`, what goes before and after it
- the host's loop: `loop`
- saving: `saver`, when; `checkpoint`, how; `description`, what lies beside one
- watching: `watch`, all of it; `terminal`, `log` (CSV and JSON), `events` (TensorBoard)
- the report: `outcome`, `recall` of groups of classes, `calibration`, `figure`, `comparison` of
  two recipes
"""
