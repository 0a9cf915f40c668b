"""Raw public datasets to rows: manifests, fetching, readers and the recurring shapes."""
