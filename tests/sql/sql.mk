# sql.mk: the database tests.
.PHONY: sql
sql: ## test the database schema: constraints, grants, row-level rules, deployment, plans
	@tests/sql/run.sh
