-- Weir's query store, version 1. weir-export applies it, as role weir_owner and in one transaction;
-- `psql -1 -f` as that role does the same. Roles: deploy/postgres/roles.sql.
--
-- A record is spread over one table for each field of the disclosure matrix (proto/README.md
-- section 8.3), so that row-level security can hide one field of a record and show another.

CREATE SCHEMA weir;
GRANT USAGE ON SCHEMA weir
  TO weir_writer, weir_public, weir_researcher, weir_operator, weir_partner;

CREATE TABLE weir.schema_version (
  version    integer PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON weir.schema_version TO weir_writer;

-- Field `outline`, and what decides who reads the rest: release_state, release_class, experiment.
CREATE TABLE weir.record (
  record_id         text PRIMARY KEY CHECK (record_id = session_id || '-' || direction),
  version           bigint NOT NULL CHECK (version > 0),  -- Of weir-control's store; it rises.
  release_state     text NOT NULL
    CHECK (release_state IN ('collected', 'embargoed', 'released', 'anonymised')),
  release_class     text NOT NULL CHECK (release_class IN ('public', 'operator_only')),
  experiment        text NOT NULL,
  session_id        uuid NOT NULL,
  direction         text NOT NULL CHECK (direction IN ('down', 'up')),
  outcome           text NOT NULL CHECK (outcome IN ('completed', 'aborted')),
  end_reason        text NOT NULL,
  negotiated_at     timestamptz NOT NULL,
  negotiated_unix_ns bigint NOT NULL,                     -- The same, to the nanosecond.
  purpose           text NOT NULL,
  node              text NOT NULL,
  operator          text NOT NULL,
  contact           text NOT NULL,
  policy_digest     text NOT NULL,
  admission_rule    text NOT NULL,
  export_rule       text NOT NULL,
  origin_active     boolean NOT NULL CHECK (origin_active),
  software          text NOT NULL,
  legal_basis       text NOT NULL,
  license           text NOT NULL,
  -- The newest row of the node's audit log when this version came: `weir audit verify --head`.
  audit_id          bigint NOT NULL,
  audit_hash        text NOT NULL,
  delivered_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (record_id, release_state, release_class, experiment)
);
CREATE INDEX ON weir.record (negotiated_at);

-- Field `measurement`. The objects are record.v1's messages in protobuf's JSON.
CREATE TABLE weir.measurement (
  record_id       text PRIMARY KEY,
  release_state   text NOT NULL,
  release_class   text NOT NULL,
  experiment      text NOT NULL,
  requested       jsonb,
  granted         jsonb,
  result          jsonb,
  achieved_ip_bps double precision GENERATED ALWAYS AS
    ((result ->> 'achieved_ip_bps')::double precision) STORED,
  sent            bigint GENERATED ALWAYS AS ((result ->> 'sent')::bigint) STORED,
  received        bigint GENERATED ALWAYS AS ((result ->> 'received')::bigint) STORED,
  lost            bigint GENERATED ALWAYS AS ((result ->> 'lost')::bigint) STORED,
  reordered       bigint GENERATED ALWAYS AS ((result ->> 'reordered')::bigint) STORED,
  duplicated      bigint GENERATED ALWAYS AS ((result ->> 'duplicated')::bigint) STORED,
  jitter_ns       double precision GENERATED ALWAYS AS
    ((result ->> 'jitter_ns')::double precision) STORED,
  delay_p50_ns    bigint GENERATED ALWAYS AS
    ((result -> 'one_way_delay' ->> 'p50_ns')::bigint) STORED,
  delay_p99_ns    bigint GENERATED ALWAYS AS
    ((result -> 'one_way_delay' ->> 'p99_ns')::bigint) STORED,
  FOREIGN KEY (record_id, release_state, release_class, experiment)
    REFERENCES weir.record (record_id, release_state, release_class, experiment)
    ON UPDATE CASCADE ON DELETE CASCADE
);

-- Field `metadata`.
CREATE TABLE weir.metadata (
  record_id     text NOT NULL,
  position      integer NOT NULL,  -- In the record, from 1.
  key           text NOT NULL,
  value         text NOT NULL,
  release_state text NOT NULL,
  release_class text NOT NULL,
  experiment    text NOT NULL,
  PRIMARY KEY (record_id, position),
  FOREIGN KEY (record_id, release_state, release_class, experiment)
    REFERENCES weir.record (record_id, release_state, release_class, experiment)
    ON UPDATE CASCADE ON DELETE CASCADE
);

-- Field `client`, the personal one: a host for mode full, a network for netblock.
CREATE TABLE weir.client (
  record_id     text PRIMARY KEY,
  mode          text NOT NULL,
  address       inet,
  release_state text NOT NULL,
  release_class text NOT NULL,
  experiment    text NOT NULL,
  CONSTRAINT address_fits_mode CHECK (coalesce(
    CASE mode
      WHEN 'none' THEN address IS NULL
      WHEN 'full' THEN masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END
      WHEN 'netblock' THEN masklen(address) = CASE family(address) WHEN 4 THEN 24 ELSE 48 END
    END, false)),
  FOREIGN KEY (record_id, release_state, release_class, experiment)
    REFERENCES weir.record (record_id, release_state, release_class, experiment)
    ON UPDATE CASCADE ON DELETE CASCADE
);

-- Records whose address must never be here again. Nobody but the functions below sees it.
CREATE TABLE weir.erasure (
  record_id text PRIMARY KEY,
  version   bigint NOT NULL,
  erased_at timestamptz NOT NULL DEFAULT now()
);

-- ---------------------------------------------------------------------------------------------
-- Delivery. The functions run as their owner; weir_writer may call the last one and touch no table.

CREATE FUNCTION weir.take(r jsonb, new_version bigint, new_state text, unix_ns bigint,
                          head_id bigint, head_hash text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  id text := r ->> 'record_id';
  class text := lower(r ->> 'release_class');
  erased boolean;
BEGIN
  INSERT INTO weir.record AS old (
    record_id, version, release_state, release_class, experiment, session_id, direction, outcome,
    end_reason, negotiated_at, negotiated_unix_ns, purpose, node, operator, contact, policy_digest,
    admission_rule, export_rule, origin_active, software, legal_basis, license, audit_id, audit_hash)
  VALUES (
    id, new_version, new_state, class, r ->> 'experiment', (r ->> 'session_id')::uuid,
    lower(r ->> 'direction'), lower(r ->> 'outcome'), r ->> 'end_reason',
    (r ->> 'negotiated_at')::timestamptz, unix_ns, r ->> 'purpose', r -> 'server' ->> 'node',
    r -> 'server' ->> 'operator', r -> 'server' ->> 'contact', r ->> 'policy_digest',
    r ->> 'admission_rule', r ->> 'export_rule', (r ->> 'origin_active')::boolean,
    r ->> 'software', r ->> 'legal_basis', r ->> 'license', head_id, head_hash)
  ON CONFLICT (record_id) DO UPDATE SET
    version = excluded.version, release_state = excluded.release_state,
    release_class = excluded.release_class, experiment = excluded.experiment,
    audit_id = excluded.audit_id, audit_hash = excluded.audit_hash
    WHERE old.version < excluded.version;
  IF NOT FOUND THEN RETURN; END IF;  -- This version is here, or a newer one.
  erased := EXISTS (SELECT FROM weir.erasure e WHERE e.record_id = id);

  INSERT INTO weir.measurement (record_id, release_state, release_class, experiment,
                                requested, granted, result)
  VALUES (id, new_state, class, r ->> 'experiment', r -> 'requested', r -> 'granted', r -> 'result')
  ON CONFLICT (record_id) DO UPDATE SET
    requested = excluded.requested, granted = excluded.granted, result = excluded.result;

  DELETE FROM weir.metadata m WHERE m.record_id = id;
  INSERT INTO weir.metadata (record_id, position, key, value,
                             release_state, release_class, experiment)
  SELECT id, n, entry ->> 'key', entry ->> 'value', new_state, class, r ->> 'experiment'
  FROM jsonb_array_elements(r -> 'metadata') WITH ORDINALITY AS entries (entry, n);

  DELETE FROM weir.client c WHERE c.record_id = id;
  IF jsonb_typeof(r -> 'client') = 'object' THEN
    INSERT INTO weir.client (record_id, mode, address, release_state, release_class, experiment)
    VALUES (id,
            CASE WHEN erased THEN 'none' ELSE lower(substr(r -> 'client' ->> 'mode', 9)) END,
            CASE WHEN NOT erased THEN nullif(r -> 'client' ->> 'value', '')::inet END,
            new_state, class, r ->> 'experiment');
  END IF;
END $$;

CREATE FUNCTION weir.erase(id text, new_version bigint, new_state text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- First, as taking it does: an older version that another session has not committed yet is
  -- waited for, not missed.
  UPDATE weir.record r SET version = new_version, release_state = new_state
  WHERE r.record_id = id AND r.version < new_version;
  INSERT INTO weir.erasure AS old (record_id, version) VALUES (id, new_version)
  ON CONFLICT (record_id) DO NOTHING;
  UPDATE weir.client c SET mode = 'none', address = NULL WHERE c.record_id = id;
END $$;

-- What came of each item, in order; `refusal` is empty where it is here now. What can never be
-- taken is refused by itself. Anything else that fails (no space, no permission, a lock) fails all.
-- An item: {"version", "state", and "record" and "unix_ns", or "erase": a record's id}. They come
-- as json, not jsonb, so that one that jsonb has no room for does not spoil the others.
CREATE FUNCTION weir.deliver(items json, head_id bigint, head_hash text, OUT refusal text)
RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  item json;
  in_table text;
  by_constraint text;
BEGIN
  FOR item IN SELECT value FROM json_array_elements(items) LOOP
    refusal := '';
    BEGIN
      IF item -> 'erase' IS NULL THEN
        PERFORM weir.take((item -> 'record')::jsonb, (item ->> 'version')::bigint,
                          item ->> 'state', (item ->> 'unix_ns')::bigint, head_id, head_hash);
      ELSE
        PERFORM weir.erase(item ->> 'erase', (item ->> 'version')::bigint, item ->> 'state');
      END IF;
    EXCEPTION
      WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
        -- Not its message: that may have the address in it.
        GET STACKED DIAGNOSTICS in_table = TABLE_NAME, by_constraint = CONSTRAINT_NAME;
        refusal := concat_ws(', ', 'PostgreSQL error ' || SQLSTATE,
                             'table ' || nullif(in_table, ''),
                             'constraint ' || nullif(by_constraint, ''));
    END;
    RETURN NEXT;
  END LOOP;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA weir FROM PUBLIC;
GRANT EXECUTE ON FUNCTION weir.deliver(json, bigint, text) TO weir_writer;

-- ---------------------------------------------------------------------------------------------
-- Reading. What a reader may see, by role, state and class: the matrix. Narrow it by deleting rows.

CREATE TABLE weir.disclosure (
  reader        text NOT NULL,
  release_state text NOT NULL,
  release_class text NOT NULL,
  field         text NOT NULL,
  PRIMARY KEY (field, reader, release_state, release_class)
);
INSERT INTO weir.disclosure (reader, release_state, release_class, field)
  -- Released: everybody, everything.
  SELECT reader, release_state, 'public', field
  FROM unnest('{public, operator, researcher, other_researcher, partner}'::text[]) AS reader,
       unnest('{released, anonymised}'::text[]) AS release_state,
       unnest('{outline, measurement, metadata, client}'::text[]) AS field
  UNION ALL
  -- Before: the researchers of the experiment, and its outline the operator.
  SELECT 'researcher', release_state, 'public', field
  FROM unnest('{collected, embargoed}'::text[]) AS release_state,
       unnest('{outline, measurement, metadata, client}'::text[]) AS field
  UNION ALL
  SELECT 'operator', release_state, 'public', 'outline'
  FROM unnest('{collected, embargoed}'::text[]) AS release_state
  UNION ALL
  -- A closed bench is its owner's.
  SELECT 'operator', release_state, 'operator_only', field
  FROM unnest('{collected, embargoed, released, anonymised}'::text[]) AS release_state,
       unnest('{outline, measurement, metadata, client}'::text[]) AS field;
GRANT SELECT ON weir.disclosure TO weir_public, weir_researcher, weir_operator, weir_partner;

-- Which login is a researcher of which experiment; of every other one it is an other_researcher.
CREATE TABLE weir.researcher (
  login      name NOT NULL,
  experiment text NOT NULL,
  PRIMARY KEY (login, experiment)
);
ALTER TABLE weir.researcher ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON weir.researcher FOR SELECT TO weir_researcher USING (login = current_user);
GRANT SELECT ON weir.researcher TO weir_researcher;

-- The same policies for each table. A table without one for a role shows that role nothing.
DO $$
DECLARE
  field text;
  holder text;
  reader text;
BEGIN
  FOR holder, field IN VALUES ('record', 'outline'), ('measurement', 'measurement'),
                              ('metadata', 'metadata'), ('client', 'client') LOOP
    EXECUTE format('ALTER TABLE weir.%I ENABLE ROW LEVEL SECURITY', holder);
    FOREACH reader IN ARRAY ARRAY['public', 'operator', 'partner'] LOOP
      EXECUTE format(
        'CREATE POLICY %1$I ON weir.%2$I FOR SELECT TO %3$I USING ('
        '(release_state, release_class) IN (SELECT d.release_state, d.release_class '
        'FROM weir.disclosure d WHERE d.reader = %1$L AND d.field = %4$L))',
        reader, holder, 'weir_' || reader, field);
    END LOOP;
    EXECUTE format(
      'CREATE POLICY researcher ON weir.%1$I FOR SELECT TO weir_researcher USING ('
      '(CASE WHEN experiment IN (SELECT r.experiment FROM weir.researcher r '
      'WHERE r.login = current_user) THEN ''researcher'' ELSE ''other_researcher'' END, '
      'release_state, release_class) IN (SELECT d.reader, d.release_state, d.release_class '
      'FROM weir.disclosure d WHERE d.field = %2$L))', holder, field);
    EXECUTE format('GRANT SELECT ON weir.%I '
                   'TO weir_public, weir_researcher, weir_operator, weir_partner', holder);
  END LOOP;
END $$;

-- One row a record with what its reader may see of it, NULL for the rest. The policies are the
-- reader's, not the view's owner's.
CREATE VIEW weir.result WITH (security_invoker = true) AS
  SELECT r.record_id, r.negotiated_at, r.experiment, r.direction, r.outcome, r.end_reason, r.node,
         r.release_state, m.achieved_ip_bps, m.sent, m.received, m.lost,
         m.lost::double precision / nullif(m.received + m.lost, 0) AS loss_ratio,
         m.reordered, m.duplicated, m.jitter_ns, m.delay_p50_ns, m.delay_p99_ns, c.address
  FROM weir.record r
  LEFT JOIN weir.measurement m USING (record_id)
  LEFT JOIN weir.client c USING (record_id);
GRANT SELECT ON weir.result TO weir_public, weir_researcher, weir_operator, weir_partner;

INSERT INTO weir.schema_version (version) VALUES (1);
