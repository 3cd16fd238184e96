"""The public surface of the old modules as data: names, parameters, defaults."""

from __future__ import annotations

import importlib

MANAGER = "unified_id_manager"
GENERATOR = "unified_id_generator"
BRIDGE = "id_migration_bridge"

# Owner → member → how it is called; what is bound (self, cls) is left out.
SURFACE = {
    (MANAGER, "UnifiedIDManager"): """
        generate_id(id_type, prefix=None, context=None)
        register_existing_id(id_value, id_type, context=None)
        get_id_metadata(id_value)
        is_valid_id(id_value, id_type=None)
        is_valid_id_format_compatible(id_value, id_type=None)
        release_id(id_value)
        get_active_ids(id_type)
        count_active_ids(id_type)
        cleanup_released_ids(max_age_seconds=3600)
        get_stats()
        reset_counters()
        clear_all()
        generate_run_id(thread_id)
        extract_thread_id(run_id)
        validate_run_id(run_id)
        parse_run_id(run_id)
        generate_thread_id()
        convert_uuid_to_structured(uuid_id, id_type, prefix=None)
        convert_structured_to_uuid(structured_id)
        register_uuid_as_structured(uuid_id, id_type, context=None)
        validate_and_normalize_id(id_value, id_type=None)
        _is_uuid_format(id_value)
        _is_structured_id_format(id_value)
        _validate_structured_format(id_value, id_type=None)
        _extract_id_type_from_structured(id_value)
        validate_thread_id(thread_id)
        get_format_info(id_value)
        migrate_to_canonical(id_value, id_type=None)
        validate_id_pair(first_id, second_id)
        generate_connection_id()
        generate_request_id()
    """,
    (MANAGER, None): """
        get_id_manager()
        generate_id(id_type, **kwargs)
        generate_user_id()
        generate_session_id()
        generate_request_id()
        generate_agent_id()
        generate_websocket_id()
        generate_execution_id()
        generate_thread_id()
        generate_connection_id()
        is_valid_id(id_value, id_type=None)
        is_valid_id_format(id_value)
        is_valid_id_format_compatible(id_value, id_type=None)
        convert_uuid_to_structured(uuid_id, id_type, prefix=None)
        convert_structured_to_uuid(structured_id)
        validate_and_normalize_id(id_value, id_type=None)
        validate_thread_id(thread_id)
        validate_id_pair(first_id, second_id)
        get_format_info(id_value)
        migrate_to_canonical(id_value, id_type=None)
    """,
    (GENERATOR, "UnifiedIdGenerator"): """
        generate_base_id(prefix='id', include_random=True, random_length=8, *, random_suffix=None)
        generate_user_context_ids(user_id, operation='context')
        generate_websocket_connection_id(user_id, connection_timestamp=None)
        generate_websocket_client_id(user_id, connection_timestamp=None)
        generate_agent_execution_id(agent_type, user_id)
        generate_tool_execution_id(tool_name, agent_id=None)
        generate_message_id(message_type, user_id, thread_id=None)
        generate_session_id(user_id, session_type='web')
        generate_error_context_id(error_type, user_id)
        generate_batch_ids(prefix, count, include_random=True)
        parse_id(text)
        is_valid_id(text, expected_prefix=None)
        get_id_age(text)
        get_or_create_user_session(user_id, thread_id=None, run_id=None, operation='session')
        get_existing_session(user_id, thread_id)
        cleanup_expired_sessions(max_age_hours=24)
        get_active_sessions_count()
        invalidate_user_sessions(user_id)
        reset_global_counter()
        normalize_id_format(text)
        extract_pattern_info(text)
        ids_match_for_cleanup(a, b)
        translate_legacy_context_ids(user_id, thread_id, run_id, operation='compatibility')
        generate_id(prefix='id', include_random=True, random_length=8, *, random_suffix=None)
        generate_user_id()
        generate_thread_id(user_id=None)
        generate_run_id(thread_id=None)
        generate_request_id(run_id=None)
        generate_connection_id(user_id=None)
        generate_execution_id()
        generate_task_id()
    """,
    (GENERATOR, "TestIdUtils"): """
        reset()
        create_test_id(prefix='test', sequence=1)
        validate_uniqueness_in_list(ids)
        create_test_context_ids(user_id, sequence=1)
    """,
    (GENERATOR, None): """
        reset_global_counter()
        generate_uuid_replacement()
        create_user_execution_context_factory(user_id, operation='context')
    """,
    (BRIDGE, "IdMigrationBridge"): """
        detect_id_format(text)
        translate_id(text, target_format=<IdFormat.SSOT: 'ssot'>)
        find_matching_ids(target, candidates)
        normalize_context_ids(user_id, thread_id, run_id)
        get_cleanup_key(text)
        validate_migration_safety(legacy_ids, ssot_ids)
        get_translation_stats()
        clear_cache()
    """,
    (BRIDGE, None): """
        get_migration_bridge()
        normalize_for_cleanup(text)
        find_cleanup_matches(target, candidates)
        validate_id_compatibility(a, b)
        find_matching_resources(target, pool)
        cleanup_resources_by_pattern(target, pools, logger_context=None)
        normalize_connection_id(connection_id, user_id)
        validate_resource_compatibility(resource_id, context_ids)
        get_cleanup_priority(text)
    """,
}
CLASS_METHODS = {
    "generate_run_id", "extract_thread_id", "validate_run_id", "parse_run_id", "convert_uuid_to_structured",
    "convert_structured_to_uuid",
}  # fmt: skip
ROWS = [
    (module, owner, line.strip())
    for (module, owner), lines in SURFACE.items()
    for line in lines.strip().splitlines()
]
ENUMS = {
    (MANAGER, "IDType"): (
        "USER SESSION REQUEST AGENT TOOL TRANSACTION WEBSOCKET EXECUTION TRACE METRIC THREAD CONNECTION RUN"
    ),
    (BRIDGE, "IdFormat"): "SSOT LEGACY_THREAD LEGACY_RUN WEBSOCKET_FACTORY DATABASE_SESSION UNKNOWN",
}
DATACLASSES = {
    (MANAGER, "IDMetadata"): "id_value id_type created_at prefix context",
    (GENERATOR, "IdComponents"): "prefix timestamp counter random full_id",
    (BRIDGE, "IdTranslationResult"): (
        "original_id translated_id format_detected translation_needed confidence_score"
    ),
}


def load(module):
    return importlib.import_module(f"canonid.compat.{module}")
