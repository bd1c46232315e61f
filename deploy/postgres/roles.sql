-- The roles of finops. Run as a superuser (or a role that may create roles), as often as you like:
--
--     psql -v ON_ERROR_STOP=1 -f deploy/postgres/roles.sql
--
-- Passwords are set by a separate step (ALTER ROLE finops_web PASSWORD '...'), so that none stands in a file.
--
--   finops_owner          owns the schema: migrations, definer functions, backups; never a running process
--   finops_app            one tenant's rows: the API and the tenants' jobs
--   finops_staff          every tenant's rows, audited: the admin
--   finops_staff_limited  the rows of the tenants that a staff member was granted: the admin
--   finops_impersonator   one tenant's rows, few tables, reading only: staff who look as a member
--   finops_grantee        single accounts and connections of one tenant, reading only: members who were granted these
--   finops_system         the queues: relay, sequencer, leasing of jobs, retention
--   finops_verifier       every row of every table, reading only: manage.py verify
--   finops_web            login of the web processes
--   finops_worker         login of worker and beat
--
-- The login roles inherit nothing. Without SET ROLE they see no tenant's row at all.

DO $$
DECLARE
    role text;
    membership text[];
    options text := '';
BEGIN
    FOREACH role IN ARRAY ARRAY[
        'finops_owner', 'finops_app', 'finops_staff', 'finops_staff_limited', 'finops_impersonator', 'finops_grantee',
        'finops_system', 'finops_verifier', 'finops_web', 'finops_worker']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I', role);
        END IF;
        EXECUTE format('ALTER ROLE %I NOCREATEDB NOCREATEROLE NOINHERIT %s', role,
            CASE WHEN role IN ('finops_owner', 'finops_web', 'finops_worker') THEN 'LOGIN' ELSE 'NOLOGIN' END);
        -- Only a superuser may even mention these two; a role that we created has neither.
        IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role AND (rolsuper OR rolbypassrls OR rolreplication)) THEN
            EXECUTE format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS NOREPLICATION', role);
        END IF;
    END LOOP;

    -- Since 16 a membership carries its own options; before, the member's NOINHERIT decides.
    IF current_setting('server_version_num')::integer >= 160000 THEN
        options := ' WITH INHERIT FALSE, SET TRUE';
    END IF;
    FOREACH membership SLICE 1 IN ARRAY ARRAY[
        ['finops_app', 'finops_web'], ['finops_staff', 'finops_web'], ['finops_staff_limited', 'finops_web'],
        ['finops_impersonator', 'finops_web'], ['finops_grantee', 'finops_web'],
        ['finops_app', 'finops_worker'], ['finops_system', 'finops_worker'], ['finops_verifier', 'finops_worker']]
    LOOP
        EXECUTE format('GRANT %I TO %I%s', membership[1], membership[2], options);
    END LOOP;
END
$$;
