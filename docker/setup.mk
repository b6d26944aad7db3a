# setup.mk: the verbs for setting up and for the local stack. The work is done by the scripts of docker/local/; what can
# be set on the command line (EDGE_PORT, DOMAIN, EXTRA_NAMES, TLS_PROFILE, VAR, …) is listed in docker/local/settings.sh.
export FLAVOR VAR EDGE_PORT EDGE_ADDRESS DOMAIN EXTRA_NAMES TLS_PROFILE PLAIN_PORT API_COUNT WORKER_COUNT API_ARGS WORKER_ARGS

.PHONY: deps run stop hosts clean-var migrate

deps: ## install what is missing (Debian 12: apt and npm; the only verb that needs the network)
	@docker/local/deps.sh

# Compiling is a make of its own: before `deps` there may be no pkg-config to ask for flags.
run: deps ## start the local stack: database, api, worker and edge (EDGE_PORT=8443 DOMAIN=idscope.localhost)
	@$(MAKE) --no-print-directory build
	@docker/local/stack.sh start

stop: ## stop exactly what `make run` started
	@docker/local/stack.sh stop

hosts: ## print the /etc/hosts line with all names of the local stack
	@docker/local/hosts.sh

clean-var: stop ## forget the local stack's data, keys and certificates
	@docker/local/stack.sh forget

migrate: ## bring any PostgreSQL 15+ to the newest schema: make migrate DB=postgres://USER@HOST/DATABASE
	@docker/local/migrate.sh '$(DB)'
