//! What a job is to those who ask for it and look at it.

use std::{fmt, str::FromStr};

use kernel::id_type;
use serde::{Deserialize, Serialize};

id_type!(JobId, "a job");

/// How urgent a job is. Urgent ones go first; what is less urgent still gets a share (see [`super::claim`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    #[default]
    Medium,
    High,
    Urgent,
}

/// Where a job is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for a worker.
    Ready,
    /// It waits for its time, or for its next attempt.
    Delayed,
    Running,
    Succeeded,
    /// It failed for good: a dead letter, until somebody requeues it.
    Failed,
    Cancelled,
}

/// A text names no state, priority or the like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not known; choose one of {choices}")]
pub struct ChoiceError {
    pub text: String,
    pub choices: &'static str,
}

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobProgress {
    /// What it is doing, such as `render`.
    pub stage: String,
    /// How much of the whole is done, 0 to 1.
    pub fraction: f64,
    /// For people.
    pub message: String,
    /// Something to look at meanwhile, such as the key of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}

/// Why a job failed, for its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFailure {
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::High, Self::Medium, Self::Low];

    /// Its place among all: what is smaller goes first.
    pub(super) fn rank(self) -> i16 {
        match self {
            Self::Urgent => 0,
            Self::High => 1,
            Self::Medium => 2,
            Self::Low => 3,
        }
    }

    pub(super) fn of_rank(rank: i16) -> Self {
        match rank {
            i16::MIN..=0 => Self::Urgent,
            1 => Self::High,
            2 => Self::Medium,
            3.. => Self::Low,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

impl FromStr for Priority {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let choices = "low, medium, high, urgent";
        Self::ALL
            .into_iter()
            .find(|priority| priority.as_str() == text)
            .ok_or_else(|| ChoiceError { text: text.to_owned(), choices })
    }
}

impl JobState {
    pub const ALL: [Self; 6] =
        [Self::Ready, Self::Delayed, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Delayed => "delayed",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl FromStr for JobState {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let choices = "ready, delayed, running, succeeded, failed, cancelled";
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| ChoiceError { text: text.to_owned(), choices })
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_priorities_read_back_from_their_names() {
        for state in JobState::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
        for priority in Priority::ALL {
            assert_eq!(priority.to_string().parse(), Ok(priority));
            assert_eq!(Priority::of_rank(priority.rank()), priority);
        }
        assert!("urgent!".parse::<Priority>().unwrap_err().to_string().contains("low, medium, high, urgent"));
    }
}
