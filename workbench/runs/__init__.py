"""One notebook run, the pipeline, the servers: the only place that starts processes."""
