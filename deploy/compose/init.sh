#!/bin/sh
# Runs once, when the PostgreSQL volume is empty: roles, their passwords from the mounted secrets, the database.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -f /docker-entrypoint-initdb.d/sql/roles.sql
for role in owner web worker; do
    psql -v ON_ERROR_STOP=1 -U postgres -v role="finops_$role" -v password="$(cat "/run/secrets/${role}_password")" <<'SQL'
ALTER ROLE :"role" PASSWORD :'password';
SQL
done
psql -v ON_ERROR_STOP=1 -U postgres -c "CREATE DATABASE finops OWNER finops_owner ENCODING 'UTF8' TEMPLATE template0"
psql -v ON_ERROR_STOP=1 -U postgres -d finops -f /docker-entrypoint-initdb.d/sql/database.sql
