//! Tasks: the jobs that users asked for, as their owners see them: listed, followed while they run, cancelled, tried again,
//! deleted together with what they made.
//!
//! A task is a row of [`crate::jobs`] with an owner. What it made stands in its result, as a [`TaskOutput`].

pub mod http;
mod output;
mod service;
mod watch;

pub use output::{OutputFile, TaskOutput};
pub use service::{TaskError, Tasks, Whose};
pub use watch::{Change, Follower, MAX_FOLLOWERS, TaskWatch, TooManyFollowers};
