# `make help` lists what there is. Each target is a task of tasks.py, which needs nothing but Python.
TASKS := setup check test demo bench clean
.DEFAULT_GOAL := help
.PHONY: help $(TASKS)

help:
	@python3 tasks.py help

$(TASKS):
	@python3 tasks.py $@
