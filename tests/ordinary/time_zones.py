"""Time zones of the system, and local time, which is UTC."""
import time
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

moment = datetime(2024, 7, 1, 12, tzinfo=timezone.utc)
assert moment.astimezone(ZoneInfo("Asia/Tokyo")).hour == 21
assert moment.astimezone(ZoneInfo("America/New_York")).strftime("%H %Z") == "08 EDT"
assert time.localtime(0).tm_hour == 0 and time.tzname[0] == "UTC"
print("ok")
