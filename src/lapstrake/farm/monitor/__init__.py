"""What the farm tells about itself: metrics, traces, structured logs, whether it is ready."""
