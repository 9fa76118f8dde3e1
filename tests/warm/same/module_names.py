# Same names of what a preloaded module could have left in the way.
import random, json, datetime, re, logging, uuid, tempfile, socket, time
print(random.Random(7).random(), json.dumps({"a": [1, None]}), re.sub("a", "b", "aa"))
random.seed(7); print(random.random(), random.getstate()[1][:3])
print(json.__file__, json.__spec__.origin, json.__loader__.__class__.__name__, "json" in dir(__import__("json")) )
logging.basicConfig(format="%(levelname)s %(name)s %(process)d %(threadName)s %(module)s:%(lineno)d %(message)s".replace("%(process)d", ""))
logging.warning("w")
record = logging.LogRecord("n", 10, "p", 1, "m", (), None)
print(0 <= record.relativeCreated < 5000, tempfile.gettempdir(), time.tzname, datetime.datetime(2024, 1, 1).astimezone().tzinfo)
