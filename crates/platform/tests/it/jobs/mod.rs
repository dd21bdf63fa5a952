//! Tests of jobs, each on both databases.

mod children;
mod faults;
mod fixture;
mod kills;
mod lists;
mod queue;
mod schedules;
mod work;
