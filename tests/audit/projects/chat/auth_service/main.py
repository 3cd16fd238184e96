from auth_service.auth_ids import new_session_id
from shared import IDType, UnifiedIDManager, get_id_manager


def login(user_id):
    manager = get_id_manager()
    session = manager.generate_session_id()
    other = manager.generate_id(IDType.SESSION)
    thread = UnifiedIDManager.generate_thread_id(user_id)
    return session, other, thread, new_session_id(user_id)
