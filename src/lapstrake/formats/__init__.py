"""Text and bytes in, values out: pure readers and writers of file formats."""
