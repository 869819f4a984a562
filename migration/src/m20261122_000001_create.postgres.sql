-- Times are microseconds since 1970.
CREATE TABLE circuit_breaker_states (
    service_name TEXT NOT NULL PRIMARY KEY,
    -- The state that results decided.
    state_epoch BIGINT NOT NULL DEFAULT 0,
    state_version BIGINT NOT NULL DEFAULT 0,
    state_change_id BIGINT NOT NULL DEFAULT 0,
    current_state TEXT NOT NULL DEFAULT 'closed' CHECK (current_state IN ('closed', 'open', 'half_open')),
    state_changed_at BIGINT NOT NULL DEFAULT 0 CHECK (state_changed_at >= 0),
    open_for_micros BIGINT NOT NULL DEFAULT 0,
    reopens BIGINT NOT NULL DEFAULT 0,
    lease_token BIGINT,
    lease_owner BIGINT,
    lease_term_micros BIGINT,
    lease_renewals BIGINT,
    lease_budget BIGINT,
    reason TEXT,
    failure_count BIGINT NOT NULL DEFAULT 0,
    failure_threshold BIGINT,
    -- For people: whole seconds.
    recovery_timeout BIGINT NOT NULL DEFAULT 0,
    recovery_timeout_micros BIGINT NOT NULL DEFAULT 0,
    last_failure_time BIGINT CHECK (last_failure_time >= 0),
    -- What a person set over it.
    override_epoch BIGINT NOT NULL DEFAULT 0,
    override_version BIGINT NOT NULL DEFAULT 0,
    override_change_id BIGINT NOT NULL DEFAULT 0,
    override_state TEXT CHECK (override_state IN ('forced_open', 'disabled', 'metrics_only')),
    override_set_at BIGINT CHECK (override_set_at >= 0),
    override_expires_at BIGINT CHECK (override_expires_at >= 0),
    override_by TEXT,
    override_reason TEXT,
    -- What was changed of the settings.
    settings_epoch BIGINT NOT NULL DEFAULT 0,
    settings_version BIGINT NOT NULL DEFAULT 0,
    settings_change_id BIGINT NOT NULL DEFAULT 0,
    settings_changes JSONB,
    settings_by TEXT,
    -- Fields of other versions of the crate.
    extra JSONB,
    -- Not null: a tombstone.
    removed_at BIGINT CHECK (removed_at >= 0),
    -- The transaction that wrote the row.
    change_cursor BIGINT NOT NULL
);
CREATE INDEX circuit_breaker_states_change_cursor ON circuit_breaker_states (change_cursor);
CREATE INDEX circuit_breaker_states_removed_at ON circuit_breaker_states (removed_at) WHERE removed_at IS NOT NULL;

-- Runs of processes. The small id stands for the run in events and metrics.
CREATE TABLE circuit_breaker_instances (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run BIGINT NOT NULL UNIQUE,
    registered_at BIGINT NOT NULL,
    -- What the process tells the others; null if it does not, or retired.
    published_at BIGINT,
    name TEXT,
    started_at BIGINT,
    votes JSONB,
    windows JSONB,
    extra JSONB
);
CREATE INDEX circuit_breaker_instances_published_at ON circuit_breaker_instances (published_at);

CREATE TABLE circuit_breaker_events (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    instance INTEGER NOT NULL,
    sequence BIGINT NOT NULL,
    service_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    event_type TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT,
    epoch BIGINT,
    version BIGINT,
    reason TEXT,
    error_type TEXT,
    error_message TEXT,
    elapsed_micros BIGINT,
    admitted BIGINT,
    generation BIGINT,
    weight BIGINT NOT NULL,
    trace_id TEXT,
    additional_data JSONB,
    PRIMARY KEY (instance, sequence)
);
CREATE INDEX circuit_breaker_events_service ON circuit_breaker_events (service_name, created_at, id);
CREATE INDEX circuit_breaker_events_created_at ON circuit_breaker_events (created_at, id);

CREATE TABLE circuit_breaker_metrics (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    service_name TEXT NOT NULL,
    resolution_seconds INTEGER NOT NULL,
    bucket_start BIGINT NOT NULL CHECK (bucket_start >= 0),
    instance INTEGER NOT NULL,
    admitted BIGINT NOT NULL,
    succeeded BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    slow BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    ignored BIGINT NOT NULL,
    late BIGINT NOT NULL,
    unavailable_micros BIGINT NOT NULL,
    latencies JSONB,
    PRIMARY KEY (service_name, resolution_seconds, bucket_start, instance)
);
CREATE INDEX circuit_breaker_metrics_start ON circuit_breaker_metrics (resolution_seconds, bucket_start, id);
CREATE INDEX circuit_breaker_metrics_instance ON circuit_breaker_metrics (instance);

CREATE TABLE circuit_breaker_failure_patterns (
    pattern_key TEXT NOT NULL PRIMARY KEY,
    service_name TEXT NOT NULL,
    pattern_type TEXT NOT NULL,
    -- For people: whole seconds.
    time_window_seconds BIGINT NOT NULL,
    time_window_micros BIGINT NOT NULL,
    failure_count BIGINT NOT NULL,
    error_rate DOUBLE PRECISION NOT NULL,
    suggested_threshold BIGINT,
    -- For people: whole seconds.
    suggested_timeout BIGINT,
    suggested_timeout_micros BIGINT,
    confidence_score DOUBLE PRECISION NOT NULL CHECK (confidence_score BETWEEN 0 AND 1),
    created_at BIGINT NOT NULL CHECK (created_at >= 0),
    last_seen_at BIGINT NOT NULL CHECK (last_seen_at >= 0),
    evidence JSONB
);
CREATE INDEX circuit_breaker_failure_patterns_service ON circuit_breaker_failure_patterns (service_name, last_seen_at);
CREATE INDEX circuit_breaker_failure_patterns_last_seen_at ON circuit_breaker_failure_patterns (last_seen_at);

CREATE TABLE circuit_breaker_alerts (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_key TEXT NOT NULL,
    service_name TEXT,
    alert_type TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    message TEXT NOT NULL,
    details JSONB,
    count BIGINT NOT NULL,
    created_at BIGINT NOT NULL CHECK (created_at >= 0),
    last_seen_at BIGINT NOT NULL CHECK (last_seen_at >= 0),
    resolved_at BIGINT CHECK (resolved_at >= 0),
    acknowledged BOOLEAN NOT NULL GENERATED ALWAYS AS (acknowledged_at IS NOT NULL) STORED,
    acknowledged_at BIGINT CHECK (acknowledged_at >= 0),
    acknowledged_by TEXT
);
CREATE UNIQUE INDEX circuit_breaker_alerts_unresolved ON circuit_breaker_alerts (alert_key) WHERE resolved_at IS NULL;
CREATE INDEX circuit_breaker_alerts_key ON circuit_breaker_alerts (alert_key, id);
CREATE INDEX circuit_breaker_alerts_service ON circuit_breaker_alerts (service_name, last_seen_at);
CREATE INDEX circuit_breaker_alerts_last_seen_at ON circuit_breaker_alerts (last_seen_at);
CREATE INDEX circuit_breaker_alerts_resolved_at ON circuit_breaker_alerts (resolved_at);

CREATE TABLE circuit_breaker_silences (
    silence_key TEXT NOT NULL PRIMARY KEY,
    service_name TEXT,
    alert_type TEXT,
    silent_from BIGINT NOT NULL CHECK (silent_from >= 0),
    silent_until BIGINT NOT NULL CHECK (silent_until >= 0),
    created_by TEXT NOT NULL,
    reason TEXT
);
CREATE INDEX circuit_breaker_silences_until ON circuit_breaker_silences (silent_until);

CREATE TABLE circuit_breaker_leases (
    name TEXT NOT NULL PRIMARY KEY,
    token BIGINT NOT NULL,
    owner BIGINT NOT NULL,
    term_micros BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
