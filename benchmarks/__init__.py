"""Our forecast beside peers on public budget execution; see README.md here."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # one core for everybody, before NumPy is loaded
