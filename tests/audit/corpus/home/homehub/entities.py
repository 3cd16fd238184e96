"""Sensors, lights and covers as the hub shows them."""

from __future__ import annotations

import itertools
import logging
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote

from homehub.const import *

_LOGGER = logging.getLogger(__name__)
_INDEX = itertools.count()


@dataclass
class Area:
    name: str
    area_id: str = field(default_factory=lambda: uuid.uuid4().hex)  #! direct-uuid
    labels: list[str] = field(default_factory=list)


class HubEntity:
    _attr_has_entity_name = True

    def __init__(self, coordinator, entry, description):
        self.coordinator = coordinator
        self.entity_description = description
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"  #! hand-made
        self._attr_device_info = {
            "identifiers": {(DOMAIN, coordinator.serial)},  #! none: a pair, not a text
            "via_device": (DOMAIN, entry.entry_id),  #! none: a pair, not a text
            "name": f"Hub {coordinator.serial}",  #! none: a name for people
        }

    @property
    def available(self):
        return self.coordinator.last_update_success

    async def async_will_remove_from_hub(self):
        _LOGGER.debug("Removing %s (device …%s)", self.name, self.coordinator.device_id[-6:])  #! none: log line


class VirtualSwitch(HubEntity):
    def __init__(self, coordinator, entry, description):
        super().__init__(coordinator, entry, description)
        self._attr_unique_id = "virtual_" + str(next(_INDEX))  #! hand-made weak-source


class Group:
    def __init__(self, members):
        self.members = members
        self.group_id = f"group_{len(members)}"  #! hand-made weak-source

    @property
    def unique_id(self):
        return "-".join(["grp", self.group_id, "state"])  #! hand-made


class Scene:
    counter = 0

    def __init__(self, name):
        Scene.counter += 1
        self.name = name
        self.scene_id = "scene." + str(Scene.counter)  #! hand-made weak-source


def domain_of(entity_id):
    return entity_id.split(".", 1)[0]  #! reader


def lights(entity_ids):
    return [each for each in entity_ids if each.startswith("light.")]  #! ~reader


def is_light(entity_id):
    return entity_id.startswith("light.")  #! reader


def entry_of(unique_id):
    entry_id, _, key = unique_id.rpartition("_")  #! reader
    return entry_id, key


def migrate(entry):
    if len(entry.unique_id) == 12:  #! reader
        return f"{entry.unique_id}_main"  #! ~hand-made
    return entry.unique_id


async def fetch_device(session, device_id):
    async with session.get(f"{BASE_URL}/v2/devices/{device_id}/state") as answer:  #! reader
        return await answer.json()


async def fetch_safely(session, device_id):
    return await session.get(f"{BASE_URL}/v2/devices/{quote(device_id, safe='')}")  #! none: escaped


def state_topic(prefix):
    topic = f"{prefix}/state"  #! none: a topic
    return topic


def friendly(entity_name):
    return entity_name.split(".")[1].replace("_", " ").title()  #! none: a name


def supported(version):
    return version.startswith("2.")  #! none: a version


def with_unit(value):
    return f"{value:.1f} °C"  #! none: a reading
