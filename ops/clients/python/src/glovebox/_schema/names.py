# Written by `generate`: run it instead of editing this.
JOBS_EXCHANGE = "glovebox.jobs"
DEAD = "glovebox.dead"
CONTROL_EXCHANGE = "glovebox.control"
DEFAULT_LANE = "default"
DEFAULT_TENANT = "default"
RESULT_TTL_SECONDS = 86_400
STATE_TTL_SECONDS = 2 * RESULT_TTL_SECONDS
MAX_ATTEMPTS = 4
DELIVERY_LIMIT = 20
CONSUMER_TIMEOUT_MS = 86_400_000
TRACEPARENT_HEADER = "traceparent"
DELIVERY_COUNT_HEADER = "x-delivery-count"
FIRST_COPY_HEADER = "x-first-copy"
REASON_HEADER = "x-glovebox-reason"
ATTEMPTS_HEADER = "x-glovebox-attempts"
CONTENT_TYPE = "application/json"
MAX_LANE_BYTES = 32
RUNNERS_KEY = "glovebox:runners"
ENQUEUED_AT_HEADER = "x-enqueued-at-ms"


def queue(lane: str) -> str:
    return f"{JOBS_EXCHANGE}.{lane}"


def result_key(id: str) -> str:
    return f"glovebox:result:{id}"


def state_key(id: str) -> str:
    return f"glovebox:state:{id}"


def done_channel(id: str) -> str:
    return f"glovebox:done:{id}"


def output_key(id: str) -> str:
    return f"glovebox:output:{id}"


def cancel_key(id: str) -> str:
    return f"glovebox:cancel:{id}"
