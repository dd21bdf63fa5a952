//! The load of `cargo xtask bench-team`: people who look, ask and follow, and a steady stream of requests that nothing may
//! disturb. Prints one line of JSON.
//!
//! `team_load accounts ADDRESS COUNT` prints an access token a line, each of an account of its own.
//! `team_load users ADDRESS TOKENS COUNT SECONDS`, where TOKENS is a file of such lines.
//! `team_load steady ADDRESS TOKENS RATE SECONDS` asks so often a second, with open web sockets and an upload beside it.

mod connection;
mod figures;
mod steady;
mod users;

use std::{io::Write as _, net::SocketAddr};

use anyhow::{Context as _, Result, bail};
use connection::Connection;
use hyper::Method;
use serde_json::json;

/// Accounts that are made at a time: each costs its server a tenth of a second of thinking.
const AT_A_TIME: usize = 4;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let line = match words[..] {
        ["accounts", address, count] => make_accounts(address.parse()?, count.parse()?).await?.join("\n"),
        ["users", address, tokens, count, seconds] => {
            users::press(address.parse()?, &read_tokens(tokens)?, count.parse()?, seconds.parse()?).await?
        }
        ["steady", address, tokens, rate, seconds] => {
            let token = read_tokens(tokens)?.into_iter().next().context("there is no token")?;
            steady::press(address.parse()?, &token, rate.parse()?, seconds.parse()?).await?
        }
        _ => bail!(
            "usage: team_load accounts ADDRESS COUNT | users ADDRESS TOKENS COUNT SECONDS | steady ADDRESS TOKENS RATE SECONDS"
        ),
    };
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

fn read_tokens(file: &str) -> Result<Vec<String>> {
    Ok(std::fs::read_to_string(file)?.lines().map(str::to_owned).collect())
}

async fn make_accounts(address: SocketAddr, count: usize) -> Result<Vec<String>> {
    use futures::{StreamExt as _, TryStreamExt as _};

    let sign_up = |number: usize| async move {
        let body =
            json!({"email": format!("user-{number}@example.org"), "name": "User", "password": "long enough for one"});
        let mut connection = Connection::new(address, None);
        let session = connection.ask_json(Method::POST, "/api/v1/auth/sign-up", &body).await?;
        Ok(session["tokens"]["access_token"].as_str().context("a session has a token")?.to_owned())
    };
    futures::stream::iter((0..count).map(sign_up)).buffered(AT_A_TIME).try_collect().await
}
