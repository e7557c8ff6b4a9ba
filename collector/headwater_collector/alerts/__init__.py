"""Rules that are asked again and again, what of them holds, and who is told."""

from .settings import AlertSettings, alert_settings
from .watch import AlertWatch

__all__ = ["AlertSettings", "AlertWatch", "alert_settings"]
