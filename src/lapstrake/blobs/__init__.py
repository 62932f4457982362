"""Bytes found by their digest, and small documents by name: on disk, in S3 or in GCS."""
