//! Deployments, changes and incidents seen together, beyond what the metrics test.
