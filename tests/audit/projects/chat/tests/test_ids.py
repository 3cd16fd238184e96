import pytest

from shared import IDType, UnifiedIDManager


def test_ids():
    manager = UnifiedIDManager()
    assert manager.generate_id(IDType.USER)
    with pytest.raises(TypeError):
        manager.generate_id()
    assert manager.generate_id(IDType.AGENT)
