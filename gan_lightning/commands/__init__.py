"""What each command of ``gan-lightning`` does. Import light here: ``--help`` must not wait for torch."""
