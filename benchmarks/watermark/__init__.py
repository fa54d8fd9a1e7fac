"""What the invisible watermark survives, its false alarms and its cost."""
