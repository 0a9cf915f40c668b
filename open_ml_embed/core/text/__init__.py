"""Text kernels that read Arrow buffers directly, without Python strings."""
