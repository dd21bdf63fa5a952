//! Tests of jobs, each on both databases.

mod children;
mod faults;
pub(crate) mod fixture;
mod full_disk;
mod kills;
mod lists;
mod pieces;
mod queue;
mod reads;
mod schedules;
mod work;
