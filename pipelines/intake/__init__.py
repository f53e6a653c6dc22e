"""From the files of a books folder to classified records: discovery, framing, mapping, classification, dedup."""
