//! `pressroom user`.

use std::process::ExitCode;

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use identity::{Email, Name, NewAccount, Password};
use kernel::{Plan, Rng, Role};
use platform::{db::migrate, rng::SystemRng};
use serde::Serialize;

use crate::{
    cli::{
        Global,
        console::{Console, print, print_json},
    },
    server::{self, Basics, Shared},
    wiring,
};

/// Letters of passwords that we make: none that looks like another. There are 32, so that five bits choose one evenly.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Letters of a password: 100 bits.
const PASSWORD_LETTERS: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an account and print its password, which is shown this once
    Create(CreateArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// The mail address to sign in with
    #[arg(value_name = "EMAIL")]
    email: Email,
    /// Make somebody who runs the place
    #[arg(long, conflicts_with = "role")]
    admin: bool,
    /// What the user is here for
    #[arg(long, value_name = "ROLE", default_value = "creator", value_parser = PossibleValuesParser::new(Role::ALL.iter().map(|role| role.name())))]
    role: String,
    /// What the user pays for
    #[arg(long, value_name = "PLAN", default_value = "free", value_parser = PossibleValuesParser::new(Plan::ALL.iter().map(|plan| plan.name())))]
    plan: String,
    /// What to call the user [default: what stands before the @]
    #[arg(long, value_name = "NAME")]
    name: Option<Name>,
}

/// An account that was made.
#[derive(Debug, Serialize)]
struct Made<'a> {
    id: String,
    email: &'a str,
    role: Role,
    password: &'a str,
}

pub(crate) async fn run(args: UserArgs, global: &Global, console: &Console) -> anyhow::Result<ExitCode> {
    let Action::Create(args) = args.action;
    let settings = wiring::settings(global.data.as_deref())?;
    let db = server::open_database(&settings).await?;
    migrate::up(&db, &server::migrations()).await?;
    let basics = Basics::new(&db);
    // A new account changes nothing that anybody looked up.
    let shared = Shared::new(&settings, &basics, None)?;
    let service = server::identity(&settings, &basics, &shared)?.service;
    let password = make_password(&SystemRng);
    let name = match args.name {
        Some(name) => name,
        None => args.email.as_str().split('@').next().unwrap_or_default().parse()?,
    };
    let account = NewAccount {
        email: args.email.clone(),
        name,
        password: Password::new(password.clone().into())?,
        role: if args.admin { Role::Admin } else { args.role.parse()? },
        plan: args.plan.parse()?,
    };
    let user = service.create_user(None, account).await?;
    let made = Made { id: user.id.to_string(), email: user.email.as_str(), role: user.role, password: &password };
    if console.is_json() {
        print_json(&made)?;
    } else {
        print(&format!("{} ({})\npassword: {}\n", made.email, made.role, made.password))?;
    }
    db.close().await?;
    Ok(ExitCode::SUCCESS)
}

fn make_password(rng: &dyn Rng) -> String {
    let mut bytes = [0; PASSWORD_LETTERS];
    rng.fill(&mut bytes);
    let letters: Vec<char> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use kernel::SeededRng;

    use super::*;

    #[test]
    fn a_password_of_our_making_may_be_chosen_and_read_aloud() {
        let password = make_password(&SeededRng::new(1));
        assert_eq!(password.len(), 23, "{password}");
        assert!(Password::new(password.into()).is_ok());
        assert_ne!(make_password(&SeededRng::new(1)), make_password(&SeededRng::new(2)));
    }
}
