"""What all services share."""

from .id_generator import UnifiedIdGenerator
from .id_manager import IDType, UnifiedIDManager, get_id_manager, shared_id_manager

__all__ = ["IDType", "UnifiedIDManager", "UnifiedIdGenerator", "get_id_manager", "shared_id_manager"]
