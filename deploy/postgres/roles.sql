-- The roles of Weir's query store, once a cluster, as its superuser: psql -f roles.sql postgres
-- Then: createdb --owner weir_owner weir
\set ON_ERROR_STOP on

DO $$
DECLARE
  role text;
BEGIN
  -- weir_owner owns the schema, weir_writer delivers; the others read.
  FOREACH role IN ARRAY ARRAY['weir_owner', 'weir_writer', 'weir_public', 'weir_researcher',
                              'weir_operator', 'weir_partner'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    END IF;
  END LOOP;
  -- weir-export's login. It acts as weir_owner only to bring the schema up to date; revoke that
  -- role from it and do so yourself, and it can do nothing but deliver.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_export') THEN
    CREATE ROLE weir_export LOGIN NOINHERIT;
  END IF;
END $$;
GRANT weir_owner, weir_writer TO weir_export;
