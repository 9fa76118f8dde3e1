# Written by `generate`: run it instead of editing this.
JOBS_EXCHANGE = "glovebox.jobs"
DEAD = "glovebox.dead"
CALLBACKS = "glovebox.callbacks"
CONTROL_EXCHANGE = "glovebox.control"
DEFAULT_LANE = "default"
HIGH_LANE = "high"
BATCH_LANE = "batch"
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
DEFERRALS_HEADER = "x-glovebox-deferrals"
SIGNATURE_HEADER = "Glovebox-Signature"
DELIVERY_HEADER = "Glovebox-Delivery"
CONTENT_TYPE = "application/json"
MAX_LANE_BYTES = 32
MAX_TENANT_BYTES = 64
TENANT_SERVED_MS = 30 * 86_400_000
ROUTES_KEY = "glovebox:routes"
ALL_TENANTS = "*"
TENANTS_KEY = "glovebox:tenants"
QUEUED = ":queued"
USAGE_TTL_SECONDS = 400 * 86_400
RUNNERS_KEY = "glovebox:runners"
ENQUEUED_AT_HEADER = "x-enqueued-at-ms"
LANE_QUEUE: dict[str, str | int] = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT, "x-consumer-timeout": CONSUMER_TIMEOUT_MS, "x-dead-letter-exchange": DEAD, "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


def queue(route: str) -> str:
    return f"{JOBS_EXCHANGE}.{route}"


def tenant_key(tenant: str) -> str:
    return f"glovebox:tenant:{tenant}"


def running_key(tenant: str) -> str:
    return f"{tenant_key(tenant)}:running"


def queued_key(tenant: str) -> str:
    return f"{tenant_key(tenant)}{QUEUED}"


def rate_key(tenant: str) -> str:
    return f"{tenant_key(tenant)}:rate"


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


def claim_key(id: str) -> str:
    return f"glovebox:claim:{id}"


def hint_channel(id: str) -> str:
    return f"glovebox:hint:{id}"
