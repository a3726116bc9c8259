"""What several tests share: a small game on real digits."""

import os

# Tiny networks gain nothing from a second thread, and two threads may sum in another order.
os.environ.setdefault("OMP_NUM_THREADS", "1")
