"""Teachers: models that score documents for queries. sentence-transformers models, precomputed vectors, rerankers."""
