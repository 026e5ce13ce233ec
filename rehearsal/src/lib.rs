//! The deployment on a laptop.
