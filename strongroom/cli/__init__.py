"""The `strongroom` command: thin; what it does is in `strongroom.client` and `strongroom.officer`."""
