"""The commands of ``gan-lightning``, one file each. torch is imported late: ``--help`` must not wait for it."""
