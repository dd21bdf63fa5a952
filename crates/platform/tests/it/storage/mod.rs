//! Files, uploads and what is served of them.

mod access;
mod clamd;
mod desk;
mod files;
mod http;
mod memory;
mod plans;
mod resume;
mod shelf;
mod stores;
mod uploads;
