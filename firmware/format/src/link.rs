//! The device link: see below.
