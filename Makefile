# `make help` lists the targets. Each target runs a task of tasks.py, which needs only Python.
TASKS := setup check test demo bench clean
.DEFAULT_GOAL := help
.PHONY: help $(TASKS)

help:
	@python3 tasks.py help

$(TASKS):
	@python3 tasks.py $@
