#!/usr/bin/python3
"""A client of Glovebox without Glovebox: publish a job, wait for its result.

Needs python3-pika and python3-redis, GLOVEBOX_AMQP_URL and GLOVEBOX_REDIS_URL.
"""
import json, os, uuid
import pika, redis

job = {"version": 1, "id": str(uuid.uuid4()), "language": "python", "code": "print(6 * 7)"}
channel = pika.BlockingConnection(pika.URLParameters(os.environ["GLOVEBOX_AMQP_URL"])).channel()
store = redis.Redis.from_url(os.environ["GLOVEBOX_REDIS_URL"])

channel.confirm_delivery()  # with mandatory: raises if nobody serves the lane
channel.basic_publish("glovebox.jobs", "default", json.dumps(job), mandatory=True, properties=pika.BasicProperties(
    message_id=job["id"], content_type="application/json", delivery_mode=2))

done = store.pubsub()
done.subscribe(f"glovebox:done:{job['id']}")  # first subscribe, then look, then listen
while (result := store.get(f"glovebox:result:{job['id']}")) is None:
    done.get_message(timeout=2)
print(json.dumps(json.loads(result), indent=2))
