"""Makes itself the last to be killed when memory runs out. Held by the read-only /proc, Landlock and the missing capability."""
from probe import attempt

attempt(lambda: open("/proc/self/oom_score_adj", "w").write("-1000"))
