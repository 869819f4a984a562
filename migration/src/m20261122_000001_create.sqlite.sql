-- Times are microseconds since 1970. STRICT keeps text out of numbers.
CREATE TABLE circuit_breaker_states (
    service_name TEXT NOT NULL PRIMARY KEY,
    -- The state that results decided.
    state_epoch INTEGER NOT NULL DEFAULT 0,
    state_version INTEGER NOT NULL DEFAULT 0,
    state_change_id INTEGER NOT NULL DEFAULT 0,
    current_state TEXT NOT NULL DEFAULT 'closed' CHECK (current_state IN ('closed', 'open', 'half_open')),
    state_changed_at INTEGER NOT NULL DEFAULT 0 CHECK (state_changed_at >= 0),
    open_for_micros INTEGER NOT NULL DEFAULT 0,
    reopens INTEGER NOT NULL DEFAULT 0,
    lease_token INTEGER,
    lease_owner INTEGER,
    lease_term_micros INTEGER,
    lease_renewals INTEGER,
    lease_budget INTEGER,
    reason TEXT,
    failure_count INTEGER NOT NULL DEFAULT 0,
    failure_threshold INTEGER,
    -- For people: whole seconds.
    recovery_timeout INTEGER NOT NULL DEFAULT 0,
    recovery_timeout_micros INTEGER NOT NULL DEFAULT 0,
    last_failure_time INTEGER CHECK (last_failure_time >= 0),
    -- What a person set over it.
    override_epoch INTEGER NOT NULL DEFAULT 0,
    override_version INTEGER NOT NULL DEFAULT 0,
    override_change_id INTEGER NOT NULL DEFAULT 0,
    override_state TEXT CHECK (override_state IN ('forced_open', 'disabled', 'metrics_only')),
    override_set_at INTEGER CHECK (override_set_at >= 0),
    override_expires_at INTEGER CHECK (override_expires_at >= 0),
    override_by TEXT,
    override_reason TEXT,
    -- What was changed of the settings.
    settings_epoch INTEGER NOT NULL DEFAULT 0,
    settings_version INTEGER NOT NULL DEFAULT 0,
    settings_change_id INTEGER NOT NULL DEFAULT 0,
    settings_changes TEXT CHECK (json_valid(settings_changes)),
    settings_by TEXT,
    -- Fields of other versions of the crate.
    extra TEXT CHECK (json_valid(extra)),
    -- Not null: a tombstone.
    removed_at INTEGER CHECK (removed_at >= 0),
    -- Rises with every write.
    change_cursor INTEGER NOT NULL
) STRICT;
CREATE INDEX circuit_breaker_states_change_cursor ON circuit_breaker_states (change_cursor);
CREATE INDEX circuit_breaker_states_removed_at ON circuit_breaker_states (removed_at) WHERE removed_at IS NOT NULL;

-- One row: the highest change_cursor of rows that were deleted, so that none is given out twice.
CREATE TABLE circuit_breaker_cursor (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    deleted INTEGER NOT NULL
) STRICT;
INSERT INTO circuit_breaker_cursor (id, deleted) VALUES (1, 0);

-- Runs of processes. The small id stands for the run in events and metrics.
CREATE TABLE circuit_breaker_instances (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL UNIQUE,
    registered_at INTEGER NOT NULL,
    -- What the process tells the others; null if it does not, or retired.
    published_at INTEGER,
    name TEXT,
    started_at INTEGER,
    votes TEXT,
    windows TEXT,
    extra TEXT
) STRICT;
CREATE INDEX circuit_breaker_instances_published_at ON circuit_breaker_instances (published_at);

CREATE TABLE circuit_breaker_events (
    id INTEGER PRIMARY KEY,
    instance INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    service_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT,
    epoch INTEGER,
    version INTEGER,
    reason TEXT,
    error_type TEXT,
    error_message TEXT,
    elapsed_micros INTEGER,
    admitted INTEGER,
    generation INTEGER,
    weight INTEGER NOT NULL,
    trace_id TEXT,
    additional_data TEXT
) STRICT;
CREATE UNIQUE INDEX circuit_breaker_events_sequence ON circuit_breaker_events (instance, sequence);
CREATE INDEX circuit_breaker_events_service ON circuit_breaker_events (service_name, created_at);
CREATE INDEX circuit_breaker_events_created_at ON circuit_breaker_events (created_at);

CREATE TABLE circuit_breaker_metrics (
    id INTEGER PRIMARY KEY,
    service_name TEXT NOT NULL,
    resolution_seconds INTEGER NOT NULL,
    bucket_start INTEGER NOT NULL CHECK (bucket_start >= 0),
    instance INTEGER NOT NULL,
    admitted INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    slow INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    ignored INTEGER NOT NULL,
    late INTEGER NOT NULL,
    unavailable_micros INTEGER NOT NULL,
    latencies TEXT
) STRICT;
CREATE UNIQUE INDEX circuit_breaker_metrics_bucket ON circuit_breaker_metrics (service_name, resolution_seconds, bucket_start, instance);
CREATE INDEX circuit_breaker_metrics_start ON circuit_breaker_metrics (resolution_seconds, bucket_start);
CREATE INDEX circuit_breaker_metrics_instance ON circuit_breaker_metrics (instance);

CREATE TABLE circuit_breaker_failure_patterns (
    pattern_key TEXT NOT NULL PRIMARY KEY,
    service_name TEXT NOT NULL,
    pattern_type TEXT NOT NULL,
    -- For people: whole seconds.
    time_window_seconds INTEGER NOT NULL,
    time_window_micros INTEGER NOT NULL,
    failure_count INTEGER NOT NULL,
    error_rate REAL NOT NULL,
    suggested_threshold INTEGER,
    -- For people: whole seconds.
    suggested_timeout INTEGER,
    suggested_timeout_micros INTEGER,
    confidence_score REAL NOT NULL CHECK (confidence_score BETWEEN 0 AND 1),
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    last_seen_at INTEGER NOT NULL CHECK (last_seen_at >= 0),
    evidence TEXT CHECK (json_valid(evidence))
) STRICT;
CREATE INDEX circuit_breaker_failure_patterns_service ON circuit_breaker_failure_patterns (service_name, last_seen_at);
CREATE INDEX circuit_breaker_failure_patterns_last_seen_at ON circuit_breaker_failure_patterns (last_seen_at);

CREATE TABLE circuit_breaker_alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_key TEXT NOT NULL,
    service_name TEXT,
    alert_type TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    message TEXT NOT NULL,
    details TEXT CHECK (json_valid(details)),
    count INTEGER NOT NULL,
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    last_seen_at INTEGER NOT NULL CHECK (last_seen_at >= 0),
    resolved_at INTEGER CHECK (resolved_at >= 0),
    acknowledged INTEGER NOT NULL GENERATED ALWAYS AS (acknowledged_at IS NOT NULL) VIRTUAL,
    acknowledged_at INTEGER CHECK (acknowledged_at >= 0),
    acknowledged_by TEXT
) STRICT;
CREATE UNIQUE INDEX circuit_breaker_alerts_unresolved ON circuit_breaker_alerts (alert_key) WHERE resolved_at IS NULL;
CREATE INDEX circuit_breaker_alerts_key ON circuit_breaker_alerts (alert_key, id);
CREATE INDEX circuit_breaker_alerts_service ON circuit_breaker_alerts (service_name, last_seen_at);
CREATE INDEX circuit_breaker_alerts_last_seen_at ON circuit_breaker_alerts (last_seen_at);
CREATE INDEX circuit_breaker_alerts_resolved_at ON circuit_breaker_alerts (resolved_at);

CREATE TABLE circuit_breaker_silences (
    silence_key TEXT NOT NULL PRIMARY KEY,
    service_name TEXT,
    alert_type TEXT,
    silent_from INTEGER NOT NULL CHECK (silent_from >= 0),
    silent_until INTEGER NOT NULL CHECK (silent_until >= 0),
    created_by TEXT NOT NULL,
    reason TEXT
) STRICT;
CREATE INDEX circuit_breaker_silences_until ON circuit_breaker_silences (silent_until);

CREATE TABLE circuit_breaker_leases (
    name TEXT NOT NULL PRIMARY KEY,
    token INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    term_micros INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
