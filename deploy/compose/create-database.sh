#!/bin/bash
# Run once by PostgreSQL's image, with the cluster's first start: the server's role owns its database, and nothing else.
set -euo pipefail

psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres --set=password="$(cat /run/trace/database-password)" <<'SQL'
CREATE ROLE otrace LOGIN PASSWORD :'password';
CREATE DATABASE otrace OWNER otrace;
REVOKE ALL ON DATABASE otrace FROM PUBLIC;
SQL
