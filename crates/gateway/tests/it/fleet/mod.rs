//! Instances that are started, counted, killed, replaced and found again.

mod admin;
mod deaths;
mod deploys;
mod traffic;
mod yard;
