"""Who scores a document for a query: BM25, a sentence-transformers model, vectors from elsewhere, a cross-encoder."""
