from unittest import mock

from shop.managers import IdService


def test_it(monkeypatch):
    service = IdService()
    service.special = mock.Mock()
    assert service.special(1)
    monkeypatch.setattr(IdService, "extra", lambda self: 1, raising=False)
    assert service.extra()
