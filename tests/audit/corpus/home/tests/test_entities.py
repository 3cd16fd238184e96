"""Tests of what the hub shows."""

import uuid
from unittest.mock import patch
from uuid import uuid4

import pytest

from homehub.entities import Group, domain_of


@pytest.fixture
def device_id():
    return str(uuid4())  #! direct-uuid


def test_a_group_has_an_id():
    group = Group([uuid.uuid4().hex])  #! direct-uuid
    assert group.group_id == "group_1"  #! ~hand-made ~reader


def test_the_domain_is_the_first_part():
    assert domain_of("light.kitchen") == "light"  #! ~hand-made


def test_a_known_area(hub):
    hub.add_area(area_id="area_12345", name="Attic")  #! hand-made
    area_id = "3fa85f64-5717-4562-b3fc-2c963f66afa6"  #! hand-made
    assert hub.area(area_id) is None


def test_the_first_id_is_kept(hub):
    with patch("homehub.pairing.uuid4") as fake:  #! none: a test double
        fake.return_value.hex = "0" * 32
        assert hub.installation() == "0" * 32


def test_an_answer(client):
    answer = client.post("/api/devices", json={"device_id": "dev_000001", "name": "Lamp"})  #! hand-made
    assert answer.status_code == 201
    assert len(answer.json()["id"]) == 36  #! reader
