"""One RabbitMQ, one Redis and one runner for all tests; what breaks a server has its own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from services import Runner, Server, new_vhost

from glovebox import Glovebox


@dataclass
class Fleet:
    """Where the servers are."""

    amqp_url: str
    redis_url: str
    rabbitmq_folder: Path

    @property
    def vhost(self) -> str:
        return self.amqp_url.rpartition("/")[2]

    def client(self) -> Glovebox:
        return Glovebox(self.amqp_url, redis_url=self.redis_url)


@pytest.fixture(scope="session")
def servers() -> Iterator[Fleet]:
    """Those that the environment names, or our own. Without any runner."""
    own = []
    if "GLOVEBOX_TEST_AMQP_URL" not in os.environ:
        own = [Server("rabbitmq"), Server("redis")]
        fleet = Fleet(own[0].url, own[1].url, own[0].folder)
    else:
        folder = Path(os.environ["GLOVEBOX_TEST_RABBITMQ_DIR"])
        fleet = Fleet(os.environ["GLOVEBOX_TEST_AMQP_URL"], os.environ["GLOVEBOX_TEST_REDIS_URL"], folder)
    fleet.amqp_url = new_vhost(fleet.amqp_url, fleet.rabbitmq_folder)
    yield fleet
    for server in own:
        server.end()


@pytest.fixture(scope="session")
def fleet(servers: Fleet) -> Iterator[Fleet]:
    """Servers and a runner."""
    with Runner(servers.amqp_url, servers.redis_url, "--slots", "2"):
        yield servers


@pytest.fixture(scope="session")
def box(fleet: Fleet) -> Iterator[Glovebox]:
    """A client of the fleet."""
    with fleet.client() as client:
        yield client
