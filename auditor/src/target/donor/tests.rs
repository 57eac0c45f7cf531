//! Lenders made for the purpose, with the tools that distributions make theirs with.
