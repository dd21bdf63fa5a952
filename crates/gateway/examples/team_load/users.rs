//! People: each looks, reads, asks for something or follows it, and thinks for a few seconds in between.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hyper::Method;
use kernel::{Rng as _, SeededRng};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{connection::Connection, figures::Figures};

/// How long somebody thinks, in milliseconds.
const THINKS_MS: std::ops::Range<u64> = 2000..4000;
/// Words that are captioned: nobody does the jobs while this is measured.
const SCRIPT: &str = "Sea water is salty.";

/// What a person does next, out of a hundred times.
enum Act {
    List,
    Read,
    Post,
    Stream,
}

impl Act {
    fn of(chance: u64) -> Self {
        match chance {
            0..40 => Self::List,
            40..75 => Self::Read,
            75..90 => Self::Post,
            _ => Self::Stream,
        }
    }
}

/// Lets `count` people use the server at `address` for so long.
pub(crate) async fn press(address: SocketAddr, tokens: &[String], count: usize, seconds: u64) -> Result<String> {
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut people = JoinSet::new();
    for (number, token) in tokens.iter().cycle().take(count).enumerate() {
        let connection = Connection::new(address, Some(token.clone()));
        people
            .spawn(Person { connection, chance: SeededRng::new(number as u64), task: String::new() }.use_until(until));
    }
    let mut figures = Figures::default();
    while let Some(used) = people.join_next().await {
        figures.add(used?);
    }
    Ok(figures.into_json().to_string())
}

struct Person {
    connection: Connection,
    chance: SeededRng,
    /// Where the task is that was asked for last.
    task: String,
}

impl Person {
    async fn use_until(mut self, until: Instant) -> Figures {
        let mut figures = Figures::default();
        // Nobody comes at the same moment as everybody else.
        tokio::time::sleep(Duration::from_millis(self.draw(THINKS_MS.end))).await;
        while Instant::now() < until {
            let act = if self.task.is_empty() { Act::Post } else { Act::of(self.draw(100)) };
            let began = Instant::now();
            let outcome = self.act(&act).await;
            figures.count(began.elapsed(), outcome);
            let thinks = THINKS_MS.start + self.draw(THINKS_MS.end - THINKS_MS.start);
            tokio::time::sleep(Duration::from_millis(thinks)).await;
        }
        figures
    }

    async fn act(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::List => self.connection.ask(Method::GET, "/api/v1/tasks?limit=20", None).await.map(drop),
            Act::Read => self.connection.ask(Method::GET, &self.task, None).await.map(drop),
            Act::Stream => self.connection.look_into(&format!("{}/events", self.task)).await,
            Act::Post => {
                let asked =
                    self.connection.ask_json(Method::POST, "/api/v1/subtitles", &json!({"script": SCRIPT})).await?;
                let id = asked["id"].as_str().context("a task has an id")?;
                self.task = format!("/api/v1/tasks/{id}");
                Ok(())
            }
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.chance.fill(&mut bytes);
        u64::from_le_bytes(bytes) % below.max(1)
    }
}
