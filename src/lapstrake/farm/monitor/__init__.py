"""What the farm tells about itself: metrics, samples, structured logs, room on disks."""
