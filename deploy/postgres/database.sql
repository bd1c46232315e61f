-- Privileges inside the database `finops`. Run in it as a superuser or its owner, after roles.sql and
--
--     CREATE DATABASE finops OWNER finops_owner ENCODING 'UTF8' TEMPLATE template0;
--     psql -v ON_ERROR_STOP=1 -d finops -f deploy/postgres/database.sql

REVOKE ALL ON DATABASE finops FROM PUBLIC;
GRANT CONNECT ON DATABASE finops TO finops_owner, finops_web, finops_worker;
-- Bulk writes are staged in temporary tables, because COPY into a table under row security is refused.
GRANT TEMPORARY ON DATABASE finops TO finops_owner, finops_app, finops_system;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public
    TO finops_app, finops_staff, finops_staff_limited, finops_impersonator, finops_grantee, finops_system, finops_verifier,
       finops_web, finops_worker;
