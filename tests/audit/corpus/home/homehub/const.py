DOMAIN = "homehub"
BASE_URL = "http://hub.local:8123"
ENTITY_ID_FORMAT = DOMAIN + ".{}"
PAIRING_UUID = "0000180a-0000-1000-8000-00805f9b34fb"  #! none: a Bluetooth service
