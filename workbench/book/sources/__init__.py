"""Where a mapping's rows come from when they are not files of its own folder."""
