"""Training learns, resumes exactly, and refuses what does not fit."""

from perception.detector import DetectorConfig

TINY = DetectorConfig(widths=(8, 16, 16, 16), blocks=(1, 1, 1, 1), neck=16, head=16, attention_heads=2)
