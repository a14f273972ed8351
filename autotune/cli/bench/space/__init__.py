"""`bench space`: small spaces of our own templates with every config measured, as tables for searches to replay."""
