"""What no service has for itself."""


def slug(text: str) -> str:
    return "-".join(text.lower().split())
