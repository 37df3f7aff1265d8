-- Weir's query store, version 2: who reads what is what the policies in force say. Applied as
-- 1-records.sql is.
--
-- weir.disclosure stays what the row-level security asks. From here on it is put together: what
-- every node that delivers here lets be read, less what this database withholds, and never more
-- than the ceiling. Until a node has said so, the founding page's rules hold.

-- What no policy goes beyond, and what holds without one (proto/README.md section 8.3).
CREATE TABLE weir.ceiling (
  reader        text NOT NULL,
  release_state text NOT NULL,
  release_class text NOT NULL,
  field         text NOT NULL,
  founding      boolean NOT NULL,
  PRIMARY KEY (field, reader, release_state, release_class)
);
INSERT INTO weir.ceiling (reader, release_state, release_class, field, founding)
  SELECT reader, release_state, 'public', field, true
  FROM unnest('{public, operator, researcher, other_researcher, partner}'::text[]) AS reader,
       unnest('{released, anonymised}'::text[]) AS release_state,
       unnest('{outline, measurement, metadata, client}'::text[]) AS field
  UNION ALL
  SELECT 'researcher', release_state, 'public', field, true
  FROM unnest('{collected, embargoed}'::text[]) AS release_state,
       unnest('{outline, measurement, metadata, client}'::text[]) AS field
  UNION ALL
  SELECT 'operator', release_state, 'public', field, field = 'outline'
  FROM unnest('{collected, embargoed}'::text[]) AS release_state,
       unnest('{outline, measurement, metadata}'::text[]) AS field
  UNION ALL
  SELECT 'operator', release_state, 'operator_only', field, true
  FROM unnest('{collected, embargoed, released, anonymised}'::text[]) AS release_state,
       unnest('{outline, measurement, metadata, client}'::text[]) AS field;

-- What this database hides whatever the policies say: NULL is any. Insert rows to narrow it.
CREATE TABLE weir.withheld (
  reader        text,
  release_state text,
  release_class text,
  field         text
);
-- What was deleted from weir.disclosure by hand stays hidden.
INSERT INTO weir.withheld (reader, release_state, release_class, field)
  SELECT reader, release_state, release_class, field FROM weir.ceiling WHERE founding
  EXCEPT SELECT reader, release_state, release_class, field FROM weir.disclosure;

-- The policy of each node that delivers here, and what it lets be read. The row of a node that is
-- no more is to be deleted by hand.
CREATE TABLE weir.node_policy (
  node          text PRIMARY KEY,
  digest        text NOT NULL,  -- Of what it lets be read.
  policy_digest text NOT NULL,
  since         timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE weir.node_disclosure (
  node          text NOT NULL REFERENCES weir.node_policy ON DELETE CASCADE,
  reader        text NOT NULL,
  release_state text NOT NULL,
  release_class text NOT NULL,
  field         text NOT NULL,
  PRIMARY KEY (node, field, reader, release_state, release_class)
);

CREATE FUNCTION weir.combine_disclosure() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM weir.disclosure;
  INSERT INTO weir.disclosure (reader, release_state, release_class, field)
  SELECT c.reader, c.release_state, c.release_class, c.field FROM weir.ceiling c
  WHERE CASE WHEN EXISTS (SELECT FROM weir.node_policy) THEN NOT EXISTS (
          SELECT FROM weir.node_policy p WHERE NOT EXISTS (
            SELECT FROM weir.node_disclosure n
            WHERE (n.node, n.reader, n.release_state, n.release_class, n.field) =
                  (p.node, c.reader, c.release_state, c.release_class, c.field)))
        ELSE c.founding END
    AND NOT EXISTS (
      SELECT FROM weir.withheld w
      WHERE coalesce(w.reader, c.reader) = c.reader
        AND coalesce(w.release_state, c.release_state) = c.release_state
        AND coalesce(w.release_class, c.release_class) = c.release_class
        AND coalesce(w.field, c.field) = c.field);
$$;

CREATE FUNCTION weir.after_narrowing() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM weir.combine_disclosure();
  RETURN NULL;
END $$;
CREATE TRIGGER combine AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON weir.withheld
  FOR EACH STATEMENT EXECUTE FUNCTION weir.after_narrowing();
CREATE TRIGGER combine AFTER DELETE ON weir.node_policy
  FOR EACH STATEMENT EXECUTE FUNCTION weir.after_narrowing();

-- What a node's policy in force lets be read: weir.delivery.v1.Disclosure in protobuf's JSON. In one
-- transaction with what is delivered under it, and before that.
CREATE FUNCTION weir.disclose(rules jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_node text := rules ->> 'node';
BEGIN
  LOCK TABLE weir.node_policy IN SHARE ROW EXCLUSIVE MODE;  -- Another node's may be under way.
  IF EXISTS (SELECT FROM weir.node_policy p
             WHERE p.node = of_node AND p.digest = rules ->> 'digest') THEN
    RETURN;
  END IF;
  INSERT INTO weir.node_policy AS old (node, digest, policy_digest)
  VALUES (of_node, rules ->> 'digest', rules ->> 'policy_digest')
  ON CONFLICT (node) DO UPDATE
    SET digest = excluded.digest, policy_digest = excluded.policy_digest, since = now();
  DELETE FROM weir.node_disclosure n WHERE n.node = of_node;
  INSERT INTO weir.node_disclosure (node, reader, release_state, release_class, field)
  SELECT of_node, r ->> 'role', r ->> 'state', r ->> 'release_class', field
  FROM jsonb_array_elements(rules -> 'readable') AS r,
       jsonb_array_elements_text(r -> 'field') AS field;
  PERFORM weir.combine_disclosure();
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA weir FROM PUBLIC;
GRANT EXECUTE ON FUNCTION weir.disclose(jsonb) TO weir_writer;

INSERT INTO weir.schema_version (version) VALUES (2);
