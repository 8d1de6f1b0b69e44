//! A local IAM.
